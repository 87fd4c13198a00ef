//! Instead of a race: one contestant's calls alone, for a profiler to count.
//!
//! `valgrind --tool=callgrind --toggle-collect='*counted_turn*'` then counts nothing
//! but these calls: not how addresses are drawn, answers checked and others warmed up.

use std::sync::OnceLock;
use std::time::Duration;

/// Which contestant of which race, and how many calls of it.
#[derive(Clone, Debug)]
pub struct Counting {
    /// The contestant's name, as its race's table prints it.
    pub only: String,
    /// How the race's part begins: a row may have several.
    pub part: String,
    /// How many calls are counted.
    pub calls: u32,
}

/// What the command line says; the same for all races of a run.
static WANTED: OnceLock<Counting> = OnceLock::new();

impl Counting {
    /// Makes this run count instead of racing.
    pub(crate) fn want(self) {
        // The command line is read once.
        let _ = WANTED.set(self);
    }

    /// Returns what is to be counted; `None` in a run that races.
    pub(crate) fn wanted() -> Option<&'static Self> {
        WANTED.get()
    }
}

/// The function that a profiler looks for.
#[inline(never)]
pub(crate) fn counted_turn(turn: &mut dyn FnMut() -> Duration) -> Duration {
    turn()
}
