//! Builds threads from their samples.

use std::collections::HashMap;

use backsight_profile::{Process, Profile, ThreadIdx};

use super::meta::{Clock, ms};
use super::shared::SharedTables;
use super::tables::{Markers, SampleTable, ThreadJson, Weight};
use super::value::{cpu_type, value_of};

/// Builds the threads of a profile, one after another.
pub(super) struct ThreadWriter<'p> {
    profile: &'p Profile,
    clock: &'p Clock,
    sample_type: usize,
    /// The processes that have each process ID, and the number of threads that have each thread ID:
    /// reused IDs get different names.
    pids: HashMap<u32, Vec<usize>>,
    tids: HashMap<u32, u32>,
}

impl<'p> ThreadWriter<'p> {
    pub(super) fn new(profile: &'p Profile, clock: &'p Clock, sample_type: usize) -> Self {
        Self {
            profile,
            clock,
            sample_type,
            pids: HashMap::new(),
            tids: HashMap::new(),
        }
    }

    /// Returns the thread with these samples, which are sorted by time.
    pub(super) fn thread(
        &mut self,
        index: Option<ThreadIdx>,
        samples: &[usize],
        tables: &mut SharedTables<'_>,
    ) -> ThreadJson {
        let profile = self.profile;
        let thread = index.and_then(|index| profile.thread(index));
        let process = thread.and_then(|thread| profile.process(thread.process));
        let text = |at| profile.strings.get(at).filter(|text| !text.is_empty());
        let process_name = process.and_then(|process| text(process.name?));
        let thread_name = thread.and_then(|thread| text(thread.name?));
        let pid = process.map(|process| process.pid).unwrap_or_default();
        let tid = thread.and_then(|thread| thread.tid).unwrap_or(pid);
        let process_name = process_name.map_or_else(|| format!("process {pid}"), str::to_owned);
        let samples = self.samples(samples, tables);
        let began = |process: &Process| process.start_ns.map(|ns| self.clock.ms_at(ns));
        let ended = |process: &Process| process.end_ns.map(|ns| self.clock.ms_at(ns));
        let startup = process.and_then(began).unwrap_or_default();
        let shutdown = process.and_then(ended);
        ThreadJson {
            markers: Markers::default(),
            name: thread_name.map_or_else(|| process_name.clone(), str::to_owned),
            is_main_thread: tid == pid,
            paused_ranges: [],
            pid: self.pid(
                pid,
                thread.map_or(usize::MAX, |thread| thread.process.as_usize()),
            ),
            process_name,
            process_shutdown_time: shutdown,
            process_startup_time: startup,
            process_type: "default",
            register_time: startup,
            samples,
            tid: self.tid(tid),
            unregister_time: shutdown,
            show_markers_in_timeline: false,
        }
    }

    fn samples(&self, samples: &[usize], tables: &mut SharedTables<'_>) -> SampleTable {
        let unit = self.profile.sample_types.get(self.sample_type);
        let unit = unit.and_then(|of| self.profile.strings.get(of.unit));
        let cpu = cpu_type(self.profile);
        let mut rows = SampleTable {
            length: samples.len(),
            weight_type: match unit {
                Some("nanoseconds") => "tracing-ms",
                Some("bytes") => "bytes",
                _ => "samples",
            },
            stack: Vec::with_capacity(samples.len()),
            time_deltas: Vec::with_capacity(samples.len()),
            weight: Vec::with_capacity(samples.len()),
            thread_cpu_delta: cpu.map(|_| Vec::with_capacity(samples.len())),
        };
        let mut before = 0.0;
        for (nth, at) in samples.iter().enumerate() {
            let (sample, values, _) = self.profile.samples.get(*at).unwrap_or_default();
            let time = self.clock.time(sample.time_ns, nth);
            rows.time_deltas.push(time - before);
            before = time;
            let value = value_of(sample, values, self.sample_type);
            rows.weight.push(match unit {
                Some("nanoseconds") => {
                    let sign = if value < 0 { -1.0 } else { 1.0 };
                    Weight::Milliseconds(sign * ms(value.unsigned_abs()))
                }
                _ => Weight::Count(value),
            });
            if let (Some(cpu), Some(deltas)) = (cpu, &mut rows.thread_cpu_delta) {
                let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
                let has_one = (first..first.saturating_add(values.len())).contains(&cpu);
                let used = u64::try_from(value_of(sample, values, cpu)).ok();
                deltas.push(used.filter(|_| has_one).map(|ns| ns / 1000));
            }
            rows.stack.push(tables.stack(sample.stack));
        }
        rows
    }

    /// Returns the name of a process ID: `7`, or `7.1` for the second process with that ID.
    fn pid(&mut self, pid: u32, process: usize) -> String {
        let users = self.pids.entry(pid).or_default();
        let nth = users.iter().position(|user| *user == process);
        let nth = nth.unwrap_or_else(|| {
            users.push(process);
            users.len().saturating_sub(1)
        });
        match nth {
            0 => pid.to_string(),
            nth => format!("{pid}.{nth}"),
        }
    }

    fn tid(&mut self, tid: u32) -> String {
        let uses = self.tids.entry(tid).or_default();
        let nth = *uses;
        *uses = nth.saturating_add(1);
        match nth {
            0 => tid.to_string(),
            nth => format!("{tid}.{nth}"),
        }
    }
}
