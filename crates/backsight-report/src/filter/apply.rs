//! Takes samples and frames out of a profile.

use backsight_profile::{Profile, Sample, Samples, ThreadIdx};

use super::SampleFilter;
use super::stack::StackFilter;
use crate::first_threads::FirstThreads;

impl SampleFilter {
    /// Takes the other samples and frames out of a profile. Its tables stay, and grow by the
    /// stacks that are new.
    ///
    /// Returns how many samples were left out: as their first value counts them, which is the
    /// number of samples in recordings, else one for each row.
    pub fn apply(&self, profile: &mut Profile) -> u64 {
        if self.takes_all() {
            return 0;
        }
        let samples = std::mem::take(&mut profile.samples);
        let origin = samples
            .iter()
            .filter_map(|(sample, ..)| sample.time_ns)
            .min();
        let mut stacks = StackFilter::new(self);
        let firsts = FirstThreads::of_processes(profile);
        let mut taken = Samples::default();
        let mut left_out = 0_u64;
        for (sample, values, labels) in samples.iter() {
            let is_wanted =
                self.takes_task(profile, sample.thread) && self.takes_time(sample.time_ns, origin);
            let stack = match is_wanted {
                true => stacks.of(profile, sample.stack),
                false => None,
            };
            let Some(stack) = stack else {
                left_out = left_out.saturating_add(profile.sample_count(&sample, values));
                continue;
            };
            let thread = match self.merge_threads {
                true => sample.thread.map(|thread| firsts.of(profile, thread)),
                false => sample.thread,
            };
            let sample = Sample {
                stack,
                thread,
                ..sample
            };
            match sample.time_ns {
                Some(_) => taken.push(sample, values, labels),
                None => taken.sum(sample, values, labels),
            }
        }
        profile.samples = taken;
        if self.merge_threads {
            firsts.name_as_processes(profile);
        }
        left_out
    }

    fn takes_task(&self, profile: &Profile, thread: Option<ThreadIdx>) -> bool {
        if self.pids.is_empty() && self.tids.is_empty() && self.comms.is_empty() {
            return true;
        }
        let Some(thread) = thread.and_then(|thread| profile.thread(thread)) else {
            return false;
        };
        let process = profile.process(thread.process);
        let has_pid = || process.is_some_and(|process| self.pids.contains(&process.pid));
        let has_tid = || thread.tid.is_some_and(|tid| self.tids.contains(&tid));
        let has_name = || {
            let name = thread.name.or(process.and_then(|process| process.name));
            let name = name.and_then(|name| profile.strings.get(name));
            name.is_some_and(|name| self.comms.iter().any(|comm| comm == name))
        };
        (self.pids.is_empty() || has_pid())
            && (self.tids.is_empty() || has_tid())
            && (self.comms.is_empty() || has_name())
    }

    fn takes_time(&self, time_ns: Option<u64>, origin: Option<u64>) -> bool {
        if !self.needs_time() {
            return true;
        }
        let Some((time, origin)) = time_ns.zip(origin) else {
            return false;
        };
        let since = time.saturating_sub(origin);
        self.from_ns.is_none_or(|from| from <= since) && self.to_ns.is_none_or(|to| since < to)
    }
}
