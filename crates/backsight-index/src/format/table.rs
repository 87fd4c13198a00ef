//! The tables of an index, in memory or in the bytes of a file.

use backsight_types::BuildId;
use bytemuck::{AnyBitPattern, NoUninit};

use super::checks::PageChecks;
use super::layout::{
    Bucket, Extent, FileRecord, FunctionRecord, Le16, Le32, NodeRow, OffsetRow, SourceSpot, Window,
};
use super::meta::IndexMeta;
use super::strings;
use crate::byte_count::wide;
use backsight_files::Image;

/// One table: built in memory, or a range of the file.
#[derive(Debug)]
pub(crate) enum TableRows<T> {
    Built(Vec<T>),
    /// The offset and the size of its bytes.
    InFile(usize, usize),
}

impl<T> Default for TableRows<T> {
    fn default() -> Self {
        Self::Built(Vec::new())
    }
}

impl<T: AnyBitPattern + NoUninit> TableRows<T> {
    /// Frees unused capacity.
    fn shrink(&mut self) {
        if let Self::Built(rows) = self {
            rows.shrink_to_fit();
        }
    }

    fn get<'i>(&'i self, image: Option<&'i Image>) -> &'i [T] {
        match self {
            Self::Built(rows) => rows,
            Self::InFile(start, size) => {
                let bytes = image.and_then(|image| image.get(*start..)?.get(..*size));
                // This succeeds: records have no alignment, and `open` checked that the
                // size is a multiple of theirs.
                bytemuck::try_cast_slice(bytes.unwrap_or_default()).unwrap_or_default()
            }
        }
    }
}

/// Declares the tables: their order and numbers in a file, their names in `index show`,
/// and the types of their rows.
macro_rules! tables {
    ($($(#[$doc:meta])* $kind:ident $name:ident: $row:ty = $number:literal, $shown:literal;)*) => {
        /// The kinds of tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum TableId {
            $($kind,)*
        }

        impl TableId {
            /// All tables, in the order of a file.
            pub(crate) const ALL: [Self; [$($number),*].len()] = [$(Self::$kind),*];

            /// Returns its number in a file.
            pub(super) fn number(self) -> u32 {
                match self {
                    $(Self::$kind => $number,)*
                }
            }

            /// Returns the size of a row in bytes.
            pub(crate) fn row_size(self) -> usize {
                match self {
                    $(Self::$kind => size_of::<$row>(),)*
                }
            }

            /// Returns its name in `index show`.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $shown,)*
                }
            }
        }

        /// The tables, and the properties of the index.
        #[derive(Debug, Default)]
        pub(crate) struct IndexParts {
            pub(crate) meta: IndexMeta,
            $($(#[$doc])* pub(crate) $name: TableRows<$row>,)*
        }

        impl IndexParts {
            fn shrink(&mut self) {
                $(self.$name.shrink();)*
            }

            /// Sets the position of a table in the file: the offset and the size of its
            /// bytes.
            pub(super) fn place(&mut self, kind: TableId, start: usize, size: usize) {
                match kind {
                    $(TableId::$kind => self.$name = TableRows::InFile(start, size),)*
                }
            }
        }

        /// The rows of the tables as slices. A lookup reads a dozen rows, so the slices
        /// are resolved only once.
        #[derive(Debug)]
        struct TableSlices<'o> {
            $($name: &'o [$row],)*
        }

        impl<'o> TableSlices<'o> {
            fn of(Owner { image, parts }: &'o Owner) -> Self {
                Self {
                    $($name: parts.$name.get(image.as_ref()),)*
                }
            }
        }

        impl FlatIndex {
            $(#[inline]
            pub(crate) fn $name(&self) -> &[$row] {
                self.cell.borrow_dependent().$name
            })*

            pub(super) fn bytes(&self, kind: TableId) -> &[u8] {
                match kind {
                    $(TableId::$kind => bytemuck::cast_slice(self.$name()),)*
                }
            }
        }
    };
}

tables! {
    /// Ranges of code, ascending and disjoint in virtual offsets and code offsets.
    Windows windows: Window = 1, "windows";
    /// Where the innermost call level changes, with the new node.
    Scopes scopes: OffsetRow = 2, "scopes";
    /// Where the source location changes, with the new spot.
    Lines lines: OffsetRow = 3, "lines";
    /// For each bucket of code offsets, how many scopes and lines start before its end.
    Buckets buckets: Bucket = 4, "buckets";
    /// Source locations.
    Spots spots: SourceSpot = 5, "spots";
    /// The columns of the spots; 0 if unknown. Optional.
    SpotColumns spot_columns: Le16 = 6, "spot columns";
    /// The call levels.
    Nodes nodes: NodeRow = 7, "nodes";
    /// The code of functions that are not inlined.
    Extents extents: Extent = 8, "extents";
    /// The names of functions.
    Functions functions: FunctionRecord = 9, "functions";
    /// Demangled names of the functions, as texts. Optional.
    Demangled demangled: Le32 = 10, "demangled names";
    /// Source files.
    Files files: FileRecord = 11, "files";
    /// All texts.
    Strings strings: u8 = 12, "strings";
}

/// The data that the tables refer to.
#[derive(Debug)]
struct Owner {
    image: Option<Image>,
    parts: IndexParts,
}

self_cell::self_cell! {
    struct Cell {
        owner: Owner,
        #[covariant]
        dependent: TableSlices,
    }

    impl {Debug}
}

/// A module's flat symbol index.
#[derive(Debug)]
pub(crate) struct FlatIndex {
    cell: Cell,
    /// The checksums, if it is read from a file.
    checks: Option<Box<PageChecks>>,
}

impl FlatIndex {
    /// Creates an index from tables that were just built.
    pub(crate) fn new(mut parts: IndexParts) -> Self {
        parts.shrink();
        Self::of(None, parts)
    }

    /// Creates an index from tables, some of which may be in the image.
    pub(super) fn of(image: Option<Image>, parts: IndexParts) -> Self {
        Self {
            cell: Cell::new(Owner { image, parts }, |owner| TableSlices::of(owner)),
            checks: None,
        }
    }

    /// Enables checksums, verified when a page is first read.
    pub(super) fn check_by(&mut self, checks: PageChecks) {
        self.checks = Some(Box::new(checks));
    }

    /// Returns whether the checksums of these rows, or bytes, of a table are correct. Checked
    /// before each read of a table.
    #[inline]
    pub(crate) fn is_sound<T>(&self, rows: &[T]) -> bool {
        match &self.checks {
            None => true,
            Some(checks) => checks.are_sound(rows, || self.image().map(|image| &**image)),
        }
    }

    /// As [`is_sound`](Self::is_sound), for all tables.
    pub(crate) fn is_all_sound(&self) -> bool {
        let checks = self.checks.as_ref().zip(self.image());
        checks.is_none_or(|(checks, image)| checks.are_all_sound(image))
    }

    /// Returns whether checksums are enabled.
    #[inline]
    pub(crate) fn is_checked(&self) -> bool {
        self.checks.is_some()
    }

    /// Returns whether a page with a wrong checksum was read.
    #[inline]
    pub(crate) fn found_damage(&self) -> bool {
        self.checks
            .as_ref()
            .is_some_and(|checks| checks.found_damage())
    }

    /// Changes the positions of tables and the image. This disables checksums.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Option<Image>, &mut IndexParts)) {
        let empty = Self::of(None, IndexParts::default());
        let mut owner = std::mem::replace(self, empty).cell.into_owner();
        change(&mut owner.image, &mut owner.parts);
        *self = Self::of(owner.image, owner.parts);
    }

    /// Returns the bytes that it is read from; `None` if all tables were built in memory.
    pub(super) fn image(&self) -> Option<&Image> {
        self.cell.borrow_owner().image.as_ref()
    }

    /// Returns the memory of its tables in bytes; 0 if they are mapped.
    pub(crate) fn kept_bytes(&self) -> u64 {
        match self.image() {
            Some(image) => image.read_bytes(),
            None => wide(self.file_size()),
        }
    }

    #[inline]
    pub(crate) fn meta(&self) -> &IndexMeta {
        &self.cell.borrow_owner().parts.meta
    }

    /// Returns the build ID of the module.
    pub(crate) fn build_id(&self) -> Option<BuildId> {
        self.meta().build_id
    }

    /// Returns a row of the function table.
    #[inline]
    pub(crate) fn function(&self, row: u32) -> Option<&FunctionRecord> {
        let function = self.functions().get(usize::try_from(row).ok()?)?;
        self.is_sound(std::slice::from_ref(function))
            .then_some(function)
    }

    /// Returns the text at the offset `at`.
    #[inline]
    pub(crate) fn text(&self, at: u32) -> Option<&[u8]> {
        let table = self.strings();
        // The length is checked first, as it gives the end.
        let begin = table.get(usize::try_from(at).ok()?..)?;
        let text = self.is_sound(begin.get(..5).unwrap_or(begin));
        let text = text.then(|| strings::get(table, at)).flatten()?;
        self.is_sound(text).then_some(text)
    }

    /// Returns each table's kind and bytes, in the order of the file.
    pub(crate) fn tables(&self) -> [(TableId, &[u8]); TableId::ALL.len()] {
        TableId::ALL.map(|kind| (kind, self.bytes(kind)))
    }
}
