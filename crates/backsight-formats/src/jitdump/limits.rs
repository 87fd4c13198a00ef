//! Limits on reading a file, and why reading ended.

/// Limits on reading a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of bytes to read or skip.
    pub bytes: u64,
    /// Maximum number of bytes of the line table of one piece of code.
    pub lines_bytes: u64,
    /// Maximum length of a name in bytes.
    pub name: u64,
    /// Maximum number of loads and moves of code.
    pub codes: usize,
    /// Maximum number of line entries of all code.
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

/// Why the reading ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JitdumpEnd {
    /// The file ended after a record.
    #[default]
    Whole,
    /// The file ended within a record: it is still being written, or was cut off.
    InRecord,
    /// The size of a record is invalid, so that the next one cannot be found.
    Damaged,
    /// A limit was reached.
    Limit,
}
