//! A difference between an oracle's answer and ours.

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
        /// The level, counted from the innermost.
        level: usize,
        physical: bool,
    },
    File {
        ours: String,
        theirs: String,
        /// The oracle's value.
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
    /// Whether there are other oracles, and all of them agree with us, except for `relative
    /// directory twice`.
    pub(super) alone: bool,
}
