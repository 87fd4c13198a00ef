//! What a file may cost, and how its reading ends.

/// What a file may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes that are read or passed over.
    pub bytes: u64,
    /// Bytes of the lines of one piece of code.
    pub lines_bytes: u64,
    /// Bytes of a name.
    pub name: u64,
    /// Pieces of code, and moves of them.
    pub codes: usize,
    /// Lines of all code.
    pub lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 30,
            lines_bytes: 16 << 20,
            name: 16 << 10,
            codes: 1 << 20,
            lines: 1 << 22,
        }
    }
}

/// How the reading ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JitdumpEnd {
    /// Where the file ends, between two records.
    #[default]
    Whole,
    /// Within a record: it is still written, or was cut.
    InRecord,
    /// At a record whose size cannot be: what follows cannot be found.
    Damaged,
    /// At a limit.
    Limit,
}
