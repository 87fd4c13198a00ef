//! Whether a file is mapped or read into memory.

/// Whether a file is mapped or read into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Maps a file that only root or this process's user can change, and reads any other. If a
    /// mapped file is truncated, an access kills the process with SIGBUS, so a file that other
    /// users can change is never mapped.
    #[default]
    Auto,
    /// Always maps. For callers who know that the files do not change.
    Map,
    /// Always reads.
    Read,
}
