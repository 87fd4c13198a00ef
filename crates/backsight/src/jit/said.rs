//! What came of a list of names.

use std::io;
use std::path::{Path, PathBuf};

use backsight_files::FileError;
use backsight_formats::perf_map::PerfMap;
use backsight_types::Reason;

/// What came of looking for the names of the code that a process made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapUse {
    /// The process.
    pub pid: u32,
    /// The file; `None` when there is none.
    pub path: Option<PathBuf>,
    /// What was read, or why it was not.
    pub read: Result<MapRead, MapRefusal>,
}

/// What was read of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapRead {
    /// The pieces of code that it names.
    pub entries: usize,
    /// Lines that are none.
    pub malformed: u64,
    /// Whether a limit ended the reading.
    pub is_cut: bool,
    /// Whether it says when code was where and the recording is of another clock: then the
    /// last code at each address counts.
    pub lacks_times: bool,
}

impl MapRead {
    /// What was read of a `perf-PID.map`.
    pub(crate) fn of(map: &PerfMap) -> Self {
        Self {
            entries: map.len(),
            malformed: map.malformed(),
            is_cut: map.is_cut(),
            lacks_times: false,
        }
    }
}

/// Why a list was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapRefusal {
    /// There is none.
    #[error("there is none")]
    Missing,
    /// It is of another user.
    #[error("it is of user {0}")]
    OfUser(u32),
    /// It was last written before the process began.
    #[error("it is older than the process")]
    Older,
    /// A process that has the same number now began after the recording, and wrote it.
    #[error("a later process of the same number wrote it")]
    Later,
    /// Two programs made code under the same number, and it says not whose it is.
    #[error("two programs ran under this number")]
    TwoPrograms,
    /// It cannot be opened or read. The error has the same path as the [`MapUse`].
    #[error("{}", .0.error())]
    Unreadable(FileError),
    /// What stands at its path now is not the file that the process mapped.
    #[error("{0}")]
    NotTheMapped(Reason),
    /// It is no list of names.
    #[error("{0}")]
    Malformed(String),
}

impl MapRefusal {
    /// An operation on it that failed.
    pub(crate) fn of_file(operation: &'static str, error: io::Error) -> Self {
        Self::Unreadable(FileError::new(operation, None, error))
    }

    /// Completes an error of a file with its path.
    pub(crate) fn with_path(self, path: Option<&Path>) -> Self {
        match (self, path) {
            (Self::Unreadable(error), Some(path)) => Self::Unreadable(error.with_path(path)),
            (other, _) => other,
        }
    }
}
