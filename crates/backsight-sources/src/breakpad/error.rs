//! Why bytes cannot be used as a Breakpad symbol file.

/// Why bytes cannot be read as a Breakpad symbol file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BreakpadError {
    /// It does not start with `MODULE`.
    #[error("not a Breakpad symbol file: it does not begin with MODULE")]
    NotBreakpad,
    /// Its first line has no operating system, processor, debug ID and name.
    #[error("a damaged Breakpad symbol file: its MODULE line has no debug ID and name")]
    BadModule,
    /// It has more functions, symbols, paths, names and unwinding rules than the limit.
    #[error("a Breakpad symbol file of more than {0} functions, names and paths")]
    TooManyRecords(usize),
}
