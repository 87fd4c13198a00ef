//! Why a file could not be had, though a server may have it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backsight_files::FileError;

/// Why a file could not be had, though a server may have it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchFault {
    /// No connection: the name is not known, nobody listens, or the certificate is not
    /// accepted.
    #[error("no connection: {0}")]
    Connection(String),
    /// The server answered with this status.
    #[error("the server answered {0}")]
    Status(u16),
    /// An answer, or the next part of it, took longer than this.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// Fewer than [`Options::stall_bytes`](crate::Options::stall_bytes) came in this time.
    #[error("too slow: {bytes} bytes in {} s", .time.as_secs_f32())]
    Stalled {
        /// What came.
        bytes: u64,
        /// In which time.
        time: Duration,
    },
    /// The answer is longer than it may be, or never ends.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// [`Options::file_bytes`](crate::Options::file_bytes), or what is left of
        /// [`Options::total_bytes`](crate::Options::total_bytes).
        limit: u64,
    },
    /// The answer ended before its announced length.
    #[error("the answer ended after {got} of {announced} bytes")]
    CutOff {
        /// Bytes that came.
        got: u64,
        /// The length that the server announced.
        announced: u64,
    },
    /// The server leads from one address to the next, more often than it may.
    #[error("more redirects than the limit")]
    Redirects,
    /// What came is no ELF file of the build ID that was asked for.
    #[error("the server sent a file without the build ID that was asked for")]
    WrongBuildId,
    /// The server failed so often in a row that it is asked no more.
    #[error("not asked: the server failed {0} times in a row")]
    GivenUp(u32),
    /// What is no answer of HTTP.
    #[error("{0}")]
    Protocol(String),
    /// The cache directory, or a file in it.
    #[error(transparent)]
    Cache(FileError),
    /// Others can write to the cache directory: they could put other files there.
    #[error("{}: others can change it: its owner must be this user, and nobody else may write to it", .0.display())]
    CacheOfOthers(PathBuf),
}

impl FetchFault {
    /// A failed operation on a file of the cache.
    pub(crate) fn of_cache(operation: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Cache(FileError::new(operation, Some(path), error))
    }

    /// Whether the server itself is at fault, rather than this one file of it.
    pub(crate) fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Connection(_) | Self::TimedOut(_) | Self::Stalled { .. } | Self::Protocol(_)
        )
    }
}
