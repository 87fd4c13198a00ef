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

#[cfg(test)]
mod tests {
    use backsight_profile::{Profile, Sample};

    use super::Interval;

    /// Sampling started at 1,000 of calendar time, which is 50 on the clock of the records.
    fn interval() -> Interval {
        Interval {
            pair: Some((1000, 50)),
            from_ns: Some(50),
        }
    }

    #[test]
    fn one_interval_begins_where_the_one_before_ended() {
        let mut interval = interval();
        // The third has no event.
        for (reached, want) in [(80, (1000, 30)), (200, (1030, 120)), (0, (1150, 0))] {
            let mut profile = Profile::default();
            interval.end(reached, &mut profile);
            assert_eq!(profile.start_ns.zip(profile.duration_ns), Some(want));
        }
    }

    #[test]
    fn where_samples_have_times_the_first_stays_the_start() {
        for (time_ns, want) in [(Some(60), (1010, 140)), (None, (1000, 150))] {
            let mut profile = Profile {
                start_ns: Some(1010),
                ..Profile::default()
            };
            let sample = Sample {
                time_ns,
                ..Sample::default()
            };
            profile.samples.push(sample, &[1], &[]);
            interval().end(200, &mut profile);
            assert_eq!(profile.start_ns.zip(profile.duration_ns), Some(want));
        }
    }
}
