//! What a file tells of the Go release that made it.

/// A program, or a library, that Go's linker made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoProgram {
    /// As `go version` says it: `go1.19.8`. `None` when the file does not tell.
    pub release: Option<String>,
    /// How many functions its line table has: `None` without one.
    pub functions: Option<usize>,
    /// Whether its line table names its functions, as no debug information of Go is there.
    pub is_named_by_table: bool,
}
