//! A call level of an answer.

/// A call level with its raw name. Zero means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The linkage name.
    pub name: Option<String>,
    /// The source file's path.
    pub file: Option<String>,
    /// The line number.
    pub line: u32,
    /// The column.
    pub column: u32,
}
