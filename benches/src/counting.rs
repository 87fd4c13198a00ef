//! Runs the calls of one contestant, to be counted by a profiler.
//!
//! `valgrind --tool=callgrind --toggle-collect='*counted_turn*'` then counts only these calls,
//! and not the choice of addresses, the checks of answers and the warm-up.

use std::sync::OnceLock;
use std::time::Duration;

/// The contestant and race, and the number of calls.
#[derive(Clone, Debug)]
pub struct Counting {
    /// The contestant's name in the table of its race.
    pub only: String,
    /// The start of the race's part, because a row may have several.
    pub part: String,
    /// The number of calls.
    pub calls: u32,
}

/// Set from the command line, for all races of a run.
static WANTED: OnceLock<Counting> = OnceLock::new();

impl Counting {
    /// Makes this run count instead of measuring.
    pub(crate) fn want(self) {
        // The command line is parsed once.
        let _ = WANTED.set(self);
    }

    /// Returns what to count; `None` in a run that measures.
    pub(crate) fn wanted() -> Option<&'static Self> {
        WANTED.get()
    }
}

/// The function to be counted by the profiler.
#[inline(never)]
pub(crate) fn counted_turn(turn: &mut dyn FnMut() -> Duration) -> Duration {
    turn()
}
