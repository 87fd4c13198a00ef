//! Why bytes cannot be used as a Breakpad symbol file.

use std::fmt;

use backsight_types::{BuildId, DebugId};

/// Why bytes cannot be read as a Breakpad symbol file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BreakpadError {
    /// It does not start with `MODULE`.
    #[error("not a Breakpad symbol file: it does not begin with MODULE")]
    NotBreakpad,
    /// Its first line has no operating system, processor, debug ID and name.
    #[error("a damaged Breakpad symbol file: its MODULE line has no debug ID and name")]
    BadModule,
    /// It claims to be of two builds.
    #[error("a Breakpad symbol file that claims {} and {}, which contradict each other", .0[0], .0[1])]
    ContradictoryIds(Box<[BreakpadClaim; 2]>),
    /// It has more functions, symbols, paths, names and unwinding rules than the limit.
    #[error("a Breakpad symbol file of more than {0} functions, names and paths")]
    TooManyRecords(usize),
}

/// The build that a Breakpad symbol file claims to be of, in one of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakpadClaim {
    /// `MODULE` has a debug ID.
    DebugId(DebugId),
    /// `INFO CODE_ID` has the complete build ID.
    BuildId(BuildId),
}

impl fmt::Display for BreakpadClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DebugId(id) => write!(f, "debug ID {id}"),
            Self::BuildId(id) => write!(f, "build ID {id}"),
        }
    }
}
