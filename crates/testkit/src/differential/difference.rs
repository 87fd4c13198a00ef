//! How one answer differs from ours.

use super::level::Level;
use super::oracles::Oracle;

/// What differs at one address.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The number of levels.
    Depth(Vec<Level>, Vec<Level>),
    Name {
        ours: String,
        theirs: String,
        /// Which level, the innermost first.
        level: usize,
        physical: bool,
    },
    File {
        ours: String,
        theirs: String,
        /// Theirs.
        line: u32,
    },
    Line,
    Column {
        ours: Level,
        theirs: Level,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) addr: u64,
    pub(super) oracle: Oracle,
    pub(super) what: What,
    /// Whether there are other oracles, and all say what we say, up to `relative
    /// directory twice`.
    pub(super) alone: bool,
}
