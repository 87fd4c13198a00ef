//! Why a file could not be fetched, although a server may have it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backsight_files::FileError;

/// Why a file could not be fetched, although a server may have it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchFault {
    /// No connection: the host name is unknown, the connection is refused, or the
    /// certificate is not accepted.
    #[error("no connection: {0}")]
    Connection(String),
    /// The server answered with this status.
    #[error("the server answered {0}")]
    Status(u16),
    /// No answer, or no further part of it, was received within this time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// Fewer than [`Options::stall_bytes`](crate::Options::stall_bytes) were received in
    /// this time.
    #[error("too slow: {bytes} bytes in {} s", .time.as_secs_f32())]
    Stalled {
        /// The bytes received.
        bytes: u64,
        /// The period.
        time: Duration,
    },
    /// The answer exceeds the limit, or never ends.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// [`Options::file_bytes`](crate::Options::file_bytes), or what is left of
        /// [`Options::total_bytes`](crate::Options::total_bytes).
        limit: u64,
    },
    /// The answer ended before its announced length.
    #[error("the answer ended after {got} of {announced} bytes")]
    CutOff {
        /// The bytes received.
        got: u64,
        /// The length that the server announced.
        announced: u64,
    },
    /// The server sent more redirects than the limit.
    #[error("more redirects than the limit")]
    Redirects,
    /// The received file is not an ELF file with the requested build ID.
    #[error("the server sent a file without the requested build ID")]
    WrongBuildId,
    /// The file in the cache is not the one with this build ID, or a part of it is missing, and
    /// servers are not asked for it.
    #[error("{}: damaged: it has another build ID, or lacks its end; a server that is asked for it replaces it", .0.display())]
    Damaged(PathBuf),
    /// The server is no longer used, because it failed too often in a row.
    #[error("not used: the server failed {0} times in a row")]
    GivenUp(u32),
    /// The answer is not valid HTTP.
    #[error("{0}")]
    Protocol(String),
    /// An operation on the cache directory, or on a file in it, failed.
    #[error(transparent)]
    Cache(FileError),
    /// Other users can write to the cache directory, so they could add other files.
    #[error("{}: others can change it: make this user its owner, and run chmod go-w", .0.display())]
    CacheOfOthers(PathBuf),
}

impl FetchFault {
    /// Returns the error of an operation on a file of the cache.
    pub(crate) fn of_cache(operation: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Cache(FileError::new(operation, Some(path), error))
    }

    /// Returns whether the server failed, rather than the request for this file.
    pub(crate) fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Connection(_) | Self::TimedOut(_) | Self::Stalled { .. } | Self::Protocol(_)
        )
    }
}
