//! The tables of one index, in memory or in a file's bytes.

use backsight_types::BuildId;
use bytemuck::{AnyBitPattern, NoUninit};

use super::layout::{
    Bucket, Extent, FileRecord, FunctionRecord, Le16, Le32, NodeRow, Row, Spot, Window,
};
use super::meta::Meta;
use super::strings;
use crate::image::Image;
use crate::tally::wide;

/// One table: built here, or somewhere in the file.
#[derive(Debug)]
pub(crate) enum Column<T> {
    Built(Vec<T>),
    /// Where its bytes start, and how many there are.
    InFile(usize, usize),
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self::Built(Vec::new())
    }
}

impl<T: AnyBitPattern + NoUninit> Column<T> {
    /// Gives the room back that was made for more rows than came.
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
                // Records have no alignment, and `open` made the size a multiple.
                bytemuck::try_cast_slice(bytes.unwrap_or_default()).unwrap_or_default()
            }
        }
    }
}

/// Declares the tables: their order in a file, the numbers by which it names them,
/// what `index show` calls them, and what their rows are.
macro_rules! tables {
    ($($(#[$doc:meta])* $kind:ident $name:ident: $row:ty = $number:literal, $shown:literal;)*) => {
        /// The kinds of tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($kind,)*
        }

        impl Kind {
            /// In the order of a file.
            pub(crate) const ALL: [Self; [$($number),*].len()] = [$(Self::$kind),*];

            /// By which a file names it.
            pub(super) fn number(self) -> u32 {
                match self {
                    $(Self::$kind => $number,)*
                }
            }

            /// In bytes.
            pub(crate) fn row_size(self) -> usize {
                match self {
                    $(Self::$kind => size_of::<$row>(),)*
                }
            }

            /// What `index show` calls it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $shown,)*
                }
            }
        }

        /// The tables, and what is known of them as a whole.
        #[derive(Debug, Default)]
        pub(crate) struct Parts {
            pub(crate) meta: Meta,
            $($(#[$doc])* pub(crate) $name: Column<$row>,)*
        }

        impl Parts {
            fn shrink(&mut self) {
                $(self.$name.shrink();)*
            }

            /// Says where in the file one table is: where its bytes start, and how
            /// many there are.
            pub(super) fn place(&mut self, kind: Kind, start: usize, size: usize) {
                match kind {
                    $(Kind::$kind => self.$name = Column::InFile(start, size),)*
                }
            }
        }

        /// The rows of the tables, wherever they are. A lookup reads a dozen of them, and
        /// is not to find out each time which bytes they are.
        #[derive(Debug)]
        struct Tables<'o> {
            $($name: &'o [$row],)*
        }

        impl<'o> Tables<'o> {
            fn of(Owner { image, parts }: &'o Owner) -> Self {
                Self {
                    $($name: parts.$name.get(image.as_ref()),)*
                }
            }
        }

        impl Index {
            $(#[inline]
            pub(crate) fn $name(&self) -> &[$row] {
                self.0.borrow_dependent().$name
            })*

            pub(super) fn bytes(&self, kind: Kind) -> &[u8] {
                match kind {
                    $(Kind::$kind => bytemuck::cast_slice(self.$name()),)*
                }
            }
        }
    };
}

tables! {
    /// Ascending and disjoint in both offsets.
    Windows windows: Window = 1, "windows";
    /// Where the innermost call level changes, and to which node.
    Scopes scopes: Row = 2, "scopes";
    /// Where the place in the source changes, and to which spot.
    Lines lines: Row = 3, "lines";
    /// For each bucket of code offsets, how many of both start before its end.
    Buckets buckets: Bucket = 4, "buckets";
    /// Places in the source.
    Spots spots: Spot = 5, "spots";
    /// Their columns; 0 is unknown. May be left out.
    SpotColumns spot_columns: Le16 = 6, "spot columns";
    /// The call levels.
    Nodes nodes: NodeRow = 7, "nodes";
    /// Where functions have code of their own.
    Extents extents: Extent = 8, "extents";
    /// Their names.
    Functions functions: FunctionRecord = 9, "functions";
    /// Demangled names of the functions, as texts. May be left out.
    Demangled demangled: Le32 = 10, "demangled names";
    /// Source files.
    Files files: FileRecord = 11, "files";
    /// All texts.
    Strings strings: u8 = 12, "strings";
}

/// What the tables are read from.
#[derive(Debug)]
struct Owner {
    image: Option<Image>,
    parts: Parts,
}

self_cell::self_cell! {
    struct Cell {
        owner: Owner,
        #[covariant]
        dependent: Tables,
    }

    impl {Debug}
}

/// A module's flat symbol index.
#[derive(Debug)]
pub(crate) struct Index(Cell);

impl Index {
    /// Takes tables that were just built.
    pub(crate) fn new(mut parts: Parts) -> Self {
        parts.shrink();
        Self::of(None, parts)
    }

    /// Takes tables, some of which may be in the image.
    pub(super) fn of(image: Option<Image>, parts: Parts) -> Self {
        Self(Cell::new(Owner { image, parts }, |owner| Tables::of(owner)))
    }

    /// Changes where tables are, and what they are read from.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Option<Image>, &mut Parts)) {
        let empty = Self::of(None, Parts::default());
        let mut owner = std::mem::replace(self, empty).0.into_owner();
        change(&mut owner.image, &mut owner.parts);
        *self = Self::of(owner.image, owner.parts);
    }

    /// Returns the bytes that it is read from, unless all tables were built here.
    pub(super) fn image(&self) -> Option<&Image> {
        self.0.borrow_owner().image.as_ref()
    }

    /// Returns the bytes of memory that its tables take: none when they are mapped.
    pub(crate) fn kept_bytes(&self) -> u64 {
        match self.image() {
            Some(image) => image.read_bytes(),
            None => wide(self.file_size()),
        }
    }

    #[inline]
    pub(crate) fn meta(&self) -> &Meta {
        &self.0.borrow_owner().parts.meta
    }

    /// Returns the build ID of the module it describes.
    pub(crate) fn build_id(&self) -> Option<BuildId> {
        self.meta().build_id
    }

    /// Returns a row of the function table.
    #[inline]
    pub(crate) fn function(&self, row: u32) -> Option<&FunctionRecord> {
        self.functions().get(usize::try_from(row).ok()?)
    }

    /// Returns the text that starts at `at`.
    #[inline]
    pub(crate) fn text(&self, at: u32) -> Option<&[u8]> {
        strings::get(self.strings(), at)
    }

    /// Returns each table's kind and bytes, in the order of the file.
    pub(crate) fn tables(&self) -> [(Kind, &[u8]); Kind::ALL.len()] {
        Kind::ALL.map(|kind| (kind, self.bytes(kind)))
    }
}
