//! How long threads were off the CPU.
//!
//! Some events take a sample at each context switch: `context-switches` with a period of 1, or
//! `sched:sched_switch`. Here, the value of such a sample is not a number of switches but the
//! time from the switch to the first sign that the thread runs again:
//!
//! ```text
//!   thread 7   ▓▓▓▓ sample ░░░░░░░░░░░░░░░░ sign ▓▓▓▓ sample ░░░░
//!                          the sample's time
//! ```
//!
//! - If the recording has them (`--switch-events`, or `sched:sched_switch` of all processes),
//!   the sign is the record of the switch to the thread.
//! - Otherwise it is the thread's next sample of any event, its new name, its exit, or a thread
//!   that it creates. The thread's next switch sample is the latest of these: with nothing
//!   earlier, the time also includes the time that the thread ran before that switch.
//! - A thread that does not run again was off the CPU until the end of the recording: the last
//!   event, or the time that `OffCpu::reach` says.
//! - A thread that is known to wait when the recording begins (`ThreadChange::Waits`) has been
//!   off the CPU since then, with a stack that is not known.
//! - An exited thread and the idle task have no off-CPU time.

use std::collections::HashSet;

use backsight_profile as profile;
use backsight_types::trace::{EventType, SampleRecord};
use hashbrown::HashMap;

/// The threads that are off the CPU.
#[derive(Debug, Default)]
pub(super) struct OffCpu {
    /// For each event: whether it samples context switches.
    events: Vec<bool>,
    /// For each thread off the CPU: the time of the switch, and the number of its sample.
    since: HashMap<u32, (u64, u64)>,
    /// The threads that ended in this profile, and in the one before: one is sampled once more
    /// when it has ended.
    ended: HashSet<u32>,
    ended_before: HashSet<u32>,
    numbers: u64,
    last_ns: u64,
}

/// Joins switch samples with their off-CPU times. Either may become known first.
#[derive(Debug, Default)]
pub(super) struct Switches {
    /// Samples of finished pieces whose time is not known yet.
    untimed: HashMap<u64, profile::Sample>,
    /// Times of samples of the unfinished piece.
    times: HashMap<u64, i64>,
    done: Vec<(profile::Sample, i64)>,
}

impl Switches {
    /// Keeps a sample until its time is known.
    pub(super) fn wait(&mut self, number: u64, sample: profile::Sample) {
        self.untimed.insert(number, sample);
    }

    fn close(&mut self, number: u64, ns: u64) {
        let ns = i64::try_from(ns).unwrap_or(i64::MAX);
        match self.untimed.remove(&number) {
            Some(sample) => self.done.push((sample, ns)),
            None => drop(self.times.insert(number, ns)),
        }
    }

    /// Returns the off-CPU time of a sample, or keeps the sample until its time is known.
    pub(super) fn time_of(&mut self, number: u64, sample: profile::Sample) -> Option<i64> {
        let time = self.times.remove(&number);
        if time.is_none() {
            self.untimed.insert(number, sample);
        }
        time
    }

    /// Takes the samples of earlier pieces whose time has become known.
    pub(super) fn take_done(&mut self) -> Vec<(profile::Sample, i64)> {
        std::mem::take(&mut self.done)
    }
}

impl OffCpu {
    /// Takes the event types listed so far. More may follow.
    pub(super) fn set_events(&mut self, events: &[EventType]) {
        self.events.clear();
        let stops = events.iter().map(|event| event.is_of_switches);
        self.events.extend(stops);
    }

    /// Handles a sample. Returns `None` if it is not of a context switch, `Some(None)` if it is
    /// but has no off-CPU time, and otherwise its number, by which the time will be reported.
    pub(super) fn sample(
        &mut self,
        sample: &SampleRecord<'_>,
        switches: &mut Switches,
    ) -> Option<Option<u64>> {
        if !self.events.contains(&true) {
            return None;
        }
        let time = sample.time_ns;
        if let Some(time) = time {
            self.runs(sample.tid, time, switches);
        }
        if !self.events.get(sample.event).is_some_and(|stops| *stops) {
            return None;
        }
        if let Some((next, time)) = next_thread(sample).zip(time) {
            self.runs(next, time, switches);
        }
        let is_gone = sample.tid == 0
            || self.ended.contains(&sample.tid)
            || self.ended_before.contains(&sample.tid);
        let Some(time) = time.filter(|_| !is_gone) else {
            return Some(None);
        };
        let number = self.numbers;
        self.numbers = self.numbers.wrapping_add(1);
        self.since.insert(sample.tid, (time, number));
        Some(Some(number))
    }

    /// Notes that a thread is running at this time.
    pub(super) fn runs(&mut self, tid: u32, time_ns: u64, switches: &mut Switches) {
        self.last_ns = self.last_ns.max(time_ns);
        if let Some((since, number)) = self.since.remove(&tid) {
            switches.close(number, time_ns.saturating_sub(since));
        }
    }

    /// Notes that all events up to this time have been taken.
    pub(super) fn reach(&mut self, time_ns: u64) {
        self.last_ns = self.last_ns.max(time_ns);
    }

    /// Returns the first event of switches.
    pub(super) fn event(&self) -> Option<usize> {
        self.events
            .iter()
            .position(|is_of_switches| *is_of_switches)
    }

    /// Returns whether a thread is off the CPU.
    pub(super) fn is_off(&self, tid: u32) -> bool {
        self.since.contains_key(&tid)
    }

    /// Notes that a thread was created.
    pub(super) fn began(&mut self, tid: u32) {
        self.ended.remove(&tid);
        self.ended_before.remove(&tid);
    }

    /// Notes that a thread exits at this time.
    pub(super) fn ends(&mut self, tid: u32, time_ns: u64, switches: &mut Switches) {
        if self.events.contains(&true) {
            self.runs(tid, time_ns, switches);
            self.ended.insert(tid);
        }
    }

    /// Goes on with another profile.
    pub(super) fn begin_profile(&mut self) {
        self.ended_before = std::mem::take(&mut self.ended);
    }

    /// Splits all waits that go on: what they took until now is final. Returns for each the number
    /// of the rest, and its sample.
    pub(super) fn split(&mut self, switches: &mut Switches) -> Vec<(u64, profile::Sample)> {
        let Self {
            since,
            numbers,
            last_ns,
            ..
        } = self;
        let mut rest = Vec::new();
        for (begin, number) in since.values_mut() {
            let Some(sample) = switches.untimed.get(number).copied() else {
                continue;
            };
            switches.close(*number, last_ns.saturating_sub(*begin));
            (*begin, *number) = (*last_ns, *numbers);
            *numbers = numbers.wrapping_add(1);
            rest.push((*number, sample));
        }
        rest
    }

    /// Ends the recording.
    pub(super) fn finish(&mut self, switches: &mut Switches) {
        for (_, (since, number)) in self.since.drain() {
            switches.close(number, self.last_ns.saturating_sub(since));
        }
    }
}

/// Returns the thread that is switched in, from a sample of `sched:sched_switch`.
///
/// On 64-bit machines the raw data has these fields: 8 bytes common to all tracepoints,
/// `prev_comm` of 16 bytes, `prev_pid`, `prev_prio`, `prev_state`, `next_comm`, `next_pid`. If
/// `prev_pid` is not the sample's thread, the layout is another, and nothing is returned.
///
/// Source: `include/trace/events/sched.h` of the kernel.
fn next_thread(sample: &SampleRecord<'_>) -> Option<u32> {
    let is_it = sample.raw.len() >= 60 && sample.raw_u32(24) == Some(sample.tid);
    sample.raw_u32(56).filter(|_| is_it)
}
