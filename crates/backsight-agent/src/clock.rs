//! The clock of the records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Returns the same time since 1970, and on the clock of the records.
pub(crate) fn clock_pair() -> Option<(u64, u64)> {
    let now = now_ns();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some((u64::try_from(wall.as_nanos()).ok()?, now))
}

/// Returns the time on the clock of the records, in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    let now = now.unwrap_or_default().as_nanos();
    u64::try_from(now).unwrap_or(u64::MAX)
}
