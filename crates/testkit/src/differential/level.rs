//! One level of an answer.

/// One call level, with its raw name. Zero is "unknown".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The linkage name.
    pub name: Option<String>,
    /// The source file's path.
    pub file: Option<String>,
    /// The line in it.
    pub line: u32,
    /// The column in that.
    pub column: u32,
}
