//! Why a recording cannot be read, and what was wrong with one that could.

use std::io;

use crate::flaws::Flaws;

/// A recording that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not begin as a perf.data file does.
    #[error("not a perf.data file")]
    NotPerfData,
    /// Its header says what cannot be.
    #[error("a damaged perf.data file: {0}")]
    Malformed(&'static str),
    /// It was made in a way that is not read.
    #[error("a perf.data file that cannot be read: {0}")]
    Unsupported(&'static str),
}

/// What was wrong with a recording that was read all the same.
#[derive(Debug, Default)]
pub struct Problems {
    /// Records that were passed over, since they are damaged.
    pub flaws: Flaws,
    /// Why the reading ended before the recording did.
    pub end: Option<ReadEnd>,
    /// Records that came so late that others of a later time had been given out.
    pub late: u64,
}

/// Why the reading ended before the recording did. All records before are kept.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadEnd {
    /// The file was cut off: there are fewer bytes than it says.
    Cut,
    /// At this byte of its records stands something else than a record.
    Damaged {
        /// In bytes from the first record.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The input failed.
    Io(io::Error),
}

impl Problems {
    /// Returns whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flaws.is_empty() && self.end.is_none() && self.late == 0
    }
}

impl std::fmt::Display for ReadEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut => f.write_str("the file is cut off; all before the cut was read"),
            Self::Damaged { offset, reason } => {
                write!(
                    f,
                    "damaged at byte {offset} of its records: {reason}; all before was read"
                )
            }
            Self::Io(error) => write!(f, "{error}; all before was read"),
        }
    }
}
