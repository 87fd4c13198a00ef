//! Why a recording cannot be read, and the problems of one that was read.

use std::io;

use crate::flaws::Flaws;

/// Why no record of a recording can be read. The error has no path: the reader gets an input and
/// not a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading the input failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The input does not start with the magic number of perf.data.
    #[error("not a perf.data file")]
    NotPerfData,
    /// The header is damaged.
    #[error("a damaged perf.data file: {0}")]
    Malformed(&'static str),
    /// The recording uses something that this reader does not support.
    #[error("a perf.data file that cannot be read: {0}")]
    Unsupported(&'static str),
}

/// The problems of a recording that was read.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Problems {
    /// Damaged records, which were skipped, and parts that no event can represent.
    pub flaws: Flaws,
    /// The files that were not read to their end. A recording in a single file has at most one.
    pub ends: Vec<EarlyEnd>,
    /// Records that were emitted out of time order: they were more out of order in the file than
    /// [`MAX_HELD`](super::MAX_HELD) bytes of buffered records can repair.
    pub late: u64,
}

/// A file of a recording that was not read to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct EarlyEnd {
    /// The file, by its position in the arguments of [`Reader::directory`](super::Reader::directory):
    /// 0 is `data`.
    pub file: usize,
    /// Why reading it ended.
    pub reason: ReadEnd,
}

/// Why reading a file ended before its last record. All earlier records are kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadEnd {
    /// The file is shorter than its header or its last record says.
    #[error("the file is cut off; all before the cut was read")]
    Cut,
    /// There is no valid record at this offset, and the size of a record is the only way to find
    /// the next one.
    #[error("damaged at byte {offset} of its records: {reason}; all before was read")]
    Damaged {
        /// In bytes from the first record.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The records from here on are compressed (`perf record -z`), which takes the feature
    /// `zstd` of this crate.
    #[error(
        "its records are packed by zstd, and this program was built without the feature `zstd`; all before was read: build with the feature, or record without -z"
    )]
    ZstdNotBuilt,
    /// Reading the input failed.
    #[error("{0}; all before was read")]
    Io(#[source] io::Error),
}

impl Problems {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flaws.is_empty() && self.ends.is_empty() && self.late == 0
    }

    /// Adds the reason why reading a file ended early. For one file only the first is kept: a
    /// header that announces more than the file has is the cause of what its records lack.
    pub(super) fn end(&mut self, file: usize, reason: ReadEnd) {
        if self.ends.iter().all(|end| end.file != file) {
            self.ends.push(EarlyEnd { file, reason });
        }
    }
}
