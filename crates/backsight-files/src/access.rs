//! How file bytes get into memory.

/// How file bytes get into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Maps a file that only root or this process's user can change, and reads
    /// every other. A file that someone truncates while it is mapped kills the
    /// process with SIGBUS, so a stranger's file is never mapped.
    #[default]
    Auto,
    /// Maps always. For callers who know that nobody changes the files.
    Map,
    /// Reads always.
    Read,
}
