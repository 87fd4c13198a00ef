//! The records of the index: little-endian, without alignment, and any bytes are a valid
//! record.
//!
//! So the bytes of a file can be cast to a table on any machine. Nearly all fields are
//! 32-bit words.

use bytemuck::{Pod, Zeroable};

/// The version of the layout. Files of other versions are not read but built again.
pub(crate) const VERSION: u32 = 3;

/// The value of a reference to a row, if there is no row.
pub const NONE: u32 = u32::MAX;

/// A 32-bit number in the byte order of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Le32([u8; 4]);

impl Le32 {
    /// Converts a number to the byte order of the file.
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

/// A 16-bit number in the byte order of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Le16([u8; 2]);

impl Le16 {
    /// Converts a number to the byte order of the file.
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

/// A range of virtual offsets with code, and its first code offset.
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

/// A call level while an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallNode {
    /// The row, except for its `place`. For an inlined call, `place` is the file of the
    /// call, or [`NONE`], until it has a spot. For a root, it is the code offset of the
    /// function's entry.
    pub(crate) row: NodeRow,
    /// For an inlined call: the line of the call, or 0. For a root: the size of its first
    /// range in bytes.
    extent: Le32,
}

/// One call level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct NodeRow {
    /// The node that this one is inlined into; [`NONE`] for a root.
    parent: Le32,
    /// The function. The highest bit says whether a limit cut the call levels here.
    function: Le32,
    /// For an inlined call: its spot, or [`NONE`]. For a root: the row of its extent.
    place: Le32,
}

/// A row of a sorted table: the value applies from this code offset on.
///
/// Both fields are adjacent, so that a search reads one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct OffsetRow {
    /// A code offset.
    pub(crate) start: Le32,
    /// The node or spot, or [`NONE`].
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

/// The number of rows that start before the end of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Bucket {
    pub(crate) scopes: Le32,
    pub(crate) lines: Le32,
}

/// A source location, without its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct SourceSpot {
    /// The file, or [`NONE`].
    pub(crate) file: Le32,
    /// The line; 0 if unknown.
    pub(crate) line: Le32,
}

/// The code of a function that is not inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Extent {
    /// The code offset of its entry.
    pub(crate) entry: Le32,
    /// The size of its first range in bytes.
    pub(crate) size: Le32,
}

impl SourceSpot {
    pub(crate) const UNKNOWN: Self = Self {
        file: Le32(NONE.to_le_bytes()),
        line: Le32([0; 4]),
    };

    /// Returns whether the location is known.
    #[inline]
    pub(crate) fn is_known(&self) -> bool {
        // A line has no meaning without a file.
        self.file.get() != NONE
    }
}

/// The bit in `function` of a node that says that a limit cut its call levels.
const CUT_BIT: u32 = 1 << 31;

impl CallNode {
    /// Returns the node of a function that is not inlined: `entry` is the code offset of
    /// its entry, `size` the size of its first range in bytes.
    #[inline]
    pub fn root(function: u32, entry: u32, size: u32) -> Self {
        Self::raw(NONE, function, entry, size)
    }

    /// Returns the node of a call that was inlined into the node `parent`. The file and
    /// line of the call are [`NONE`] and 0 if unknown.
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

    /// Marks the node: its answer is incomplete because a limit was reached.
    #[inline]
    pub fn cut(mut self) -> Self {
        self.row.function = Le32::new(self.row.function.get() | CUT_BIT);
        self
    }

    /// Sets the function.
    pub(crate) fn named(mut self, function: u32) -> Self {
        self.row.function = Le32::new(function | (self.row.function.get() & CUT_BIT));
        self
    }

    /// Converts the parent and the function to new row numbers. Its place is not changed.
    pub(crate) fn moved(mut self, nodes: &[u32], functions: &[u32]) -> Self {
        let row = |rows: &[u32], at: u32| {
            let at = usize::try_from(at).ok();
            at.and_then(|at| rows.get(at)).copied().unwrap_or(NONE)
        };
        let parent = self.row.parent().map_or(NONE, |parent| row(nodes, parent));
        self.row.parent = Le32::new(parent);
        self.named(row(functions, self.row.function()))
    }

    /// Sets the spot of an inlined call.
    pub(crate) fn at_spot(mut self, spot: u32) -> Self {
        self.row.place = Le32::new(spot);
        self.extent = Le32::new(0);
        self
    }

    /// Returns its row in an index. The extent of a root is added to `extents`.
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

    /// Renumbers the parent for this many nodes before those of its unit.
    pub(crate) fn renumbered(mut self, others: u32) -> Self {
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

/// A function's names, as offsets of their texts in the string table, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct FunctionRecord {
    pub(crate) linkage: Le32,
    pub(crate) plain: Le32,
    /// The line of its declaration, or 0.
    pub(crate) line: Le32,
}

impl FunctionRecord {
    /// Returns whether the linkage name is encoded by Ada. Then the plain name is the
    /// same text.
    pub(crate) fn is_ada(&self) -> bool {
        self.linkage.get() != 0 && self.linkage == self.plain
    }
}

/// A source file's path: directory and name as texts of the string table.
///
/// The path is the directory, a slash, and the name; or only the name if there is no
/// directory.
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
