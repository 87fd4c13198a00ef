//! The time that a profile is of: from the start of sampling, or from the profile before it, to
//! the last event that was passed on. Its samples say less: a thread that slept has none, or one.

use backsight_profile::Profile;

use crate::clock::clock_pair;

/// The interval that goes on.
#[derive(Debug)]
pub(crate) struct Interval {
    /// One instant in calendar time and on the clock of the records, in nanoseconds.
    pair: Option<(u64, u64)>,
    /// When it began, on the clock of the records, in nanoseconds.
    from_ns: Option<u64>,
}

impl Interval {
    /// Begins the first one, now.
    pub(crate) fn begin() -> Self {
        let pair = clock_pair();
        Self {
            pair,
            from_ns: pair.map(|(_, clock)| clock),
        }
    }

    /// Tells the profile its interval, which ends at this time on the clock of the records, and
    /// begins the next one.
    pub(crate) fn end(&mut self, reached_ns: u64, profile: &mut Profile) {
        let (Some((wall, clock)), Some(from)) = (self.pair, self.from_ns) else {
            return;
        };
        // Before the first events, nothing is reached.
        let until = reached_ns.max(from);
        self.from_ns = Some(until);
        let at = |time: u64| wall.checked_add(time.saturating_sub(clock));
        let (begin, end) = (at(from), at(until));
        // The times of single samples are relative to the first one, which stays the start.
        let has_times = || {
            let mut samples = profile.samples.iter();
            samples.any(|(sample, ..)| sample.time_ns.is_some())
        };
        let first = profile.start_ns.filter(|_| has_times());
        profile.start_ns = first.or(begin);
        let start_end = profile.start_ns.zip(end);
        profile.duration_ns = start_end.map(|(start, end)| end.saturating_sub(start));
    }
}
