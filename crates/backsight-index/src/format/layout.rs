//! The records of the index: little-endian, without alignment, all values valid.
//!
//! Every record is a row of 32-bit words, so that a table is a cast away from
//! the bytes of a file on any machine.

use bytemuck::{Pod, Zeroable};

/// The version of the layout. A file of another one is built again, not read.
pub(crate) const VERSION: u32 = 3;

/// Where a table would say "row 7", and there is no row.
pub const NONE: u32 = u32::MAX;

/// A 32-bit number as it stands in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Le32([u8; 4]);

impl Le32 {
    /// Takes a number.
    #[inline]
    pub fn new(value: u32) -> Self {
        Self(value.to_le_bytes())
    }

    /// Returns the number.
    #[inline]
    pub fn get(self) -> u32 {
        u32::from_le_bytes(self.0)
    }
}

/// A 16-bit number as it stands in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Le16([u8; 2]);

impl Le16 {
    /// Takes a number.
    #[inline]
    pub fn new(value: u16) -> Self {
        Self(value.to_le_bytes())
    }

    /// Returns the number.
    #[inline]
    pub fn get(self) -> u16 {
        u16::from_le_bytes(self.0)
    }
}

/// A stretch of virtual offsets that holds code, and its first code offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Window {
    start_low: Le32,
    start_high: Le32,
    size: Le32,
    first: Le32,
}

impl Window {
    pub(crate) fn new(start: u64, size: u32, first: u32) -> Self {
        let [low, high] = halves(start);
        Self {
            start_low: Le32::new(low),
            start_high: Le32::new(high),
            size: Le32::new(size),
            first: Le32::new(first),
        }
    }

    #[inline]
    pub(crate) fn start(&self) -> u64 {
        u64::from(self.start_high.get()) << 32 | u64::from(self.start_low.get())
    }

    /// In bytes.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        self.size.get()
    }

    /// The code offset of its first byte.
    #[inline]
    pub(crate) fn first(&self) -> u32 {
        self.first.get()
    }
}

fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

/// One call level on its way into an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallNode {
    /// As it will be, but for its place. Of an inlined call that is the file it stands in,
    /// or [`NONE`]; once it has a spot, that. Of a root: the code offset where the function
    /// is entered.
    pub(crate) row: NodeRow,
    /// Of an inlined call: its line, or 0. Of a root: the bytes of its first
    /// range.
    extent: Le32,
}

/// One call level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct NodeRow {
    /// The node this one is inlined into; [`NONE`] at a root.
    parent: Le32,
    /// The function, and in the highest bit whether a limit was reached here.
    function: Le32,
    /// Of an inlined call: its spot, or [`NONE`]. Of a root: the row of its extent.
    place: Le32,
}

/// A row of a sorted table: from this code offset on, this value holds.
///
/// Both are adjacent, so that a search reads one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct OffsetRow {
    /// A code offset.
    pub(crate) start: Le32,
    /// A node or a spot from there on, or [`NONE`].
    pub(crate) value: Le32,
}

impl OffsetRow {
    pub(crate) fn new(start: u32, value: u32) -> Self {
        Self {
            start: Le32::new(start),
            value: Le32::new(value),
        }
    }
}

/// How many rows start before the end of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Bucket {
    pub(crate) scopes: Le32,
    pub(crate) lines: Le32,
}

/// A place in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct SourceSpot {
    /// Or [`NONE`].
    pub(crate) file: Le32,
    /// 0 is unknown.
    pub(crate) line: Le32,
}

/// Where a function has code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Extent {
    /// The code offset where it is entered.
    pub(crate) entry: Le32,
    /// The bytes of its first range.
    pub(crate) size: Le32,
}

impl SourceSpot {
    pub(crate) const UNKNOWN: Self = Self {
        file: Le32(NONE.to_le_bytes()),
        line: Le32([0; 4]),
    };

    /// Returns whether its file or its line is known.
    #[inline]
    pub(crate) fn is_known(&self) -> bool {
        // Lines count in a file.
        self.file.get() != NONE
    }
}

/// Set in the function of a node if a limit cut its call levels.
const CUT_BIT: u32 = 1 << 31;

impl CallNode {
    /// A function with code of its own: where it is entered, as a code offset, and the bytes
    /// of its first range.
    #[inline]
    pub fn root(function: u32, entry: u32, size: u32) -> Self {
        Self::raw(NONE, function, entry, size)
    }

    /// A call that was inlined into the node `parent`, from this line of a file, or 0 and
    /// [`NONE`].
    #[inline]
    pub fn inlined(parent: u32, function: u32, file: u32, line: u32) -> Self {
        Self::raw(parent, function, file, line)
    }

    #[inline]
    fn raw(parent: u32, function: u32, place: u32, extent: u32) -> Self {
        Self {
            row: NodeRow {
                parent: Le32::new(parent),
                function: Le32::new(function),
                place: Le32::new(place),
            },
            extent: Le32::new(extent),
        }
    }

    /// The same, whose answer lacks something because of a limit.
    #[inline]
    pub fn cut(mut self) -> Self {
        self.row.function = Le32::new(self.row.function.get() | CUT_BIT);
        self
    }

    /// The same with another function.
    pub(crate) fn named(mut self, function: u32) -> Self {
        self.row.function = Le32::new(function | (self.row.function.get() & CUT_BIT));
        self
    }

    /// The same by other rows: for each row of its kind, the one that it becomes. Its
    /// place stays what it is.
    pub(crate) fn moved(mut self, nodes: &[u32], functions: &[u32]) -> Self {
        let row = |rows: &[u32], at: u32| {
            let at = usize::try_from(at).ok();
            at.and_then(|at| rows.get(at)).copied().unwrap_or(NONE)
        };
        let parent = self.row.parent().map_or(NONE, |parent| row(nodes, parent));
        self.row.parent = Le32::new(parent);
        self.named(row(functions, self.row.function()))
    }

    /// The same inlined call at this spot.
    pub(crate) fn at_spot(mut self, spot: u32) -> Self {
        self.row.place = Le32::new(spot);
        self.extent = Le32::new(0);
        self
    }

    /// Returns the row of an index that it becomes. The extents of roots are added to
    /// `extents`.
    pub(crate) fn to_row(self, extents: &mut Vec<Extent>) -> NodeRow {
        let mut row = self.row;
        if row.parent().is_none() {
            row.place = Le32::new(u32::try_from(extents.len()).unwrap_or(NONE));
            extents.push(Extent {
                entry: self.row.place,
                size: self.extent,
            });
        }
        row
    }

    /// The same where so many other nodes go before.
    pub(crate) fn behind(mut self, others: u32) -> Self {
        if let Some(parent) = self.row.parent() {
            self.row.parent = Le32::new(parent.saturating_add(others));
        }
        self
    }

    #[inline]
    pub(crate) fn extent(&self) -> u32 {
        self.extent.get()
    }
}

impl NodeRow {
    #[inline]
    pub(crate) fn parent(&self) -> Option<u32> {
        Some(self.parent.get()).filter(|parent| *parent != NONE)
    }

    #[inline]
    pub(crate) fn function(&self) -> u32 {
        self.function.get() & !CUT_BIT
    }

    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.function.get() & CUT_BIT != 0
    }

    #[inline]
    pub(crate) fn place(&self) -> u32 {
        self.place.get()
    }
}

/// A function's names, each where its text starts in the string table, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct FunctionRecord {
    pub(crate) linkage: Le32,
    pub(crate) plain: Le32,
    /// The line that declares it, or 0.
    pub(crate) line: Le32,
}

impl FunctionRecord {
    /// Whether the linkage name is Ada's: it is the plain name too.
    pub(crate) fn is_ada(&self) -> bool {
        self.linkage.get() != 0 && self.linkage == self.plain
    }
}

/// A source file's path: directory and name as texts of the string table.
///
/// The path is the directory, a slash, the name; or the name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct FileRecord {
    pub(crate) directory: Le32,
    pub(crate) name: Le32,
}

impl std::hash::Hash for Le32 {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl std::hash::Hash for Le16 {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        u32::from(self.get()).hash(state);
    }
}
