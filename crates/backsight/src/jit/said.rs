//! What came of a list of names.

use std::io;
use std::path::{Path, PathBuf};

use backsight_files::FileError;
use backsight_formats::jitdump::{Jitdump, JitdumpEnd};
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
    /// Where the reading ended.
    pub end: MapEnd,
    /// Lines of code in a jitdump whose file has a name that cannot be read. The file is then
    /// that of the code's own name, if it has one.
    pub unreadable_file_names: u64,
    /// Whether it says when code was where and the recording is of another clock: then the
    /// last code at each address counts.
    pub lacks_times: bool,
}

/// Where the reading of a list ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapEnd {
    /// At its end, after a whole line or record.
    #[default]
    Whole,
    /// At its end, within a line: the name in it may be incomplete. The file was cut, or its
    /// writer had not written the rest yet.
    InLine,
    /// At its end, within a record, which is left out. The file was cut, or its writer had not
    /// written the rest yet.
    InRecord,
    /// At a record whose size is invalid, so that the next one cannot be found.
    Damaged,
    /// At a limit.
    Limit,
}

impl MapRead {
    /// What was read of a `perf-PID.map`.
    pub(crate) fn of(map: &PerfMap) -> Self {
        Self {
            entries: map.len(),
            malformed: map.malformed(),
            end: match (map.is_cut(), map.ends_in_line()) {
                (true, _) => MapEnd::Limit,
                (false, true) => MapEnd::InLine,
                (false, false) => MapEnd::Whole,
            },
            ..Self::default()
        }
    }

    /// What was read of a `jit-PID.dump`.
    pub(crate) fn of_dump(dump: &Jitdump) -> Self {
        Self {
            entries: dump.len(),
            malformed: dump.malformed(),
            end: match dump.end() {
                JitdumpEnd::InRecord => MapEnd::InRecord,
                JitdumpEnd::Damaged => MapEnd::Damaged,
                JitdumpEnd::Limit => MapEnd::Limit,
                _ => MapEnd::Whole,
            },
            unreadable_file_names: dump.unreadable_file_names(),
            ..Self::default()
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
    /// It is of another user. [`MapsOf::All`](crate::MapsOf::All) reads it.
    #[error("it is of user {0}")]
    OfUser(u32),
    /// The process is of another user. [`MapsOf::All`](crate::MapsOf::All) reads its lists.
    #[error("the process is of user {0}")]
    ProcessOfUser(u32),
    /// It is of a user who has no say in what the process runs.
    #[error("it is of user {owner}, and the process of user {process}")]
    OfOtherUser {
        /// The user whose list it is.
        owner: u32,
        /// The user whose process it is.
        process: u32,
    },
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
