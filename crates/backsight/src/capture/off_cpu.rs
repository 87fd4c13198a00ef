//! For how long threads did not run.
//!
//! An event may take a sample each time that a thread gives its processor away:
//! `context-switches` with a period of 1, or `sched:sched_switch`. Its samples do not
//! count switches here but weigh the time that follows, up to the first sign that the
//! thread runs again:
//!
//! ```text
//!   thread 7   ▓▓▓▓ sample ░░░░░░░░░░░░░░░░ sign ▓▓▓▓ sample ░░░░
//!                          the sample's time
//! ```
//!
//! - Where the recording has them (`--switch-events`, `sched:sched_switch` of all
//!   processes), the record of the switch to it.
//! - Else its next sample of any event, its new name, its end, or a thread that it began.
//!   The next sample of a switch is the latest of these: without any other, the time
//!   until then has the time in it that the thread ran.
//! - A thread that does not run again has not run up to the end of the recording.
//! - One that ended has no time off the processor, and the idle task has none.

use std::collections::HashSet;

use backsight_profile as profile;
use backsight_types::trace::{EventType, SampleRecord};
use hashbrown::HashMap;

/// Who does not run.
#[derive(Debug, Default)]
pub(super) struct OffCpu {
    /// Which events are of threads that stop.
    events: Vec<bool>,
    /// For a thread that stopped: when, and the number of that sample.
    since: HashMap<u32, (u64, u64)>,
    ended: HashSet<u32>,
    numbers: u64,
    last_ns: u64,
}

/// Samples whose time is not known yet, and times whose sample is not.
#[derive(Debug, Default)]
pub(super) struct Switches {
    /// Of pieces that are finished.
    open: HashMap<u64, profile::Sample>,
    /// Of the piece that is not.
    closed: HashMap<u64, i64>,
    done: Vec<(profile::Sample, i64)>,
}

impl Switches {
    fn close(&mut self, number: u64, ns: u64) {
        let ns = i64::try_from(ns).unwrap_or(i64::MAX);
        match self.open.remove(&number) {
            Some(sample) => self.done.push((sample, ns)),
            None => drop(self.closed.insert(number, ns)),
        }
    }

    /// Returns the time of a sample, or keeps the sample until it is known.
    pub(super) fn time_of(&mut self, number: u64, sample: profile::Sample) -> Option<i64> {
        let time = self.closed.remove(&number);
        if time.is_none() {
            self.open.insert(number, sample);
        }
        time
    }

    /// Takes the samples of earlier pieces whose time is known now.
    pub(super) fn take_done(&mut self) -> Vec<(profile::Sample, i64)> {
        std::mem::take(&mut self.done)
    }
}

impl OffCpu {
    /// Takes the events, of which more may become known.
    pub(super) fn set_events(&mut self, events: &[EventType]) {
        self.events.clear();
        let stops = events.iter().map(|event| event.is_of_switches);
        self.events.extend(stops);
    }

    /// Takes a sample. Returns the number of one whose time will be known later, `None`
    /// within for one that has none, and `None` for one that is of no switch.
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
        let is_gone = sample.tid == 0 || self.ended.contains(&sample.tid);
        let Some(time) = time.filter(|_| !is_gone) else {
            return Some(None);
        };
        let number = self.numbers;
        self.numbers = self.numbers.wrapping_add(1);
        self.since.insert(sample.tid, (time, number));
        Some(Some(number))
    }

    /// A thread runs at this time.
    pub(super) fn runs(&mut self, tid: u32, time_ns: u64, switches: &mut Switches) {
        self.last_ns = self.last_ns.max(time_ns);
        if let Some((since, number)) = self.since.remove(&tid) {
            switches.close(number, time_ns.saturating_sub(since));
        }
    }

    /// A thread began.
    pub(super) fn began(&mut self, tid: u32) {
        self.ended.remove(&tid);
    }

    /// A thread ends at this time.
    pub(super) fn ends(&mut self, tid: u32, time_ns: u64, switches: &mut Switches) {
        if self.events.contains(&true) {
            self.runs(tid, time_ns, switches);
            self.ended.insert(tid);
        }
    }

    /// The recording ended.
    pub(super) fn finish(&mut self, switches: &mut Switches) {
        for (_, (since, number)) in self.since.drain() {
            switches.close(number, self.last_ns.saturating_sub(since));
        }
    }
}

/// Returns the thread that gets the processor, of a sample of `sched:sched_switch`.
///
/// Its fields stand at these places on machines of 64 bits: `prev_comm` of 16 bytes
/// behind the 8 that all tracepoints have, `prev_pid`, `prev_prio`, `prev_state`,
/// `next_comm`, `next_pid`. Where the first thread is not the sample's they are others.
///
/// Source: `include/trace/events/sched.h` of the kernel.
fn next_thread(sample: &SampleRecord<'_>) -> Option<u32> {
    let is_it = sample.raw.len() >= 60 && sample.raw_u32(24) == Some(sample.tid);
    sample.raw_u32(56).filter(|_| is_it)
}
