//! The clocks of a race.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// What is measured as time.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The CPU time of this thread.
    Thread,
    /// Wall-clock time.
    Wall,
    /// Not time: the result of this function is treated as nanoseconds.
    Count {
        /// Returns the current count.
        #[serde(skip)]
        now: fn() -> u64,
    },
    /// Not time: all contestants are [gauges](crate::race::Race::gauge) of this quantity.
    Gauge {
        /// The unit, such as `KiB`.
        unit: &'static str,
    },
}

impl Clock {
    /// Returns the current value.
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
