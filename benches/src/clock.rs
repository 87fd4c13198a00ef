//! What is taken for time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// What time is taken.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The time that this thread had a processor.
    Thread,
    /// The time that went by.
    Wall,
    /// No time: what this function counts is taken for nanoseconds.
    Count {
        /// Returns the count so far.
        #[serde(skip)]
        now: fn() -> u64,
    },
    /// No time: all contestants are [gauges](crate::race::Race::gauge) that tell this.
    Gauge {
        /// What they tell: `KiB`.
        unit: &'static str,
    },
}

impl Clock {
    /// Returns what it shows.
    pub(crate) fn now(self) -> Duration {
        let clock = match self {
            Self::Thread => ClockId::CLOCK_THREAD_CPUTIME_ID,
            Self::Wall => ClockId::CLOCK_MONOTONIC,
            Self::Count { now } => return Duration::from_nanos(now()),
            Self::Gauge { .. } => return Duration::ZERO,
        };
        Duration::from(clock_gettime(clock).expect("every kernel has both clocks"))
    }
}
