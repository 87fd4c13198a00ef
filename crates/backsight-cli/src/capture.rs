//! A recording as a profile: what processes did is replayed, and every address of a
//! sample gets its place in a module.
//!
//! ```text
//!   perf.data ──▶ events ──▶ chains, each once ──▶ Replay ──▶ locations, stacks, samples
//! ```
//!
//! Samples repeat the same few chains. So a chain is looked up by its bytes first, and
//! only one that is new since its process last changed is replayed. That happens in
//! pieces: a piece ends when enough samples wait, and is then handed to whoever writes
//! it. What stays is what the profile's tables have, not the samples.

mod about;
mod chains;
mod columns;
mod execs;
mod files;
mod input;
mod kernel;
mod leaving;
mod off_cpu;
mod people;
mod piece;
mod places;
mod registers;
mod spaces;
mod unwind;

use std::collections::HashMap;
use std::fmt;
use std::io::{Read, Seek};
use std::path::Path;

use backsight_formats::perf_data::{
    Event, EventType, Facts, Problems, Reader, Sample, ThreadChange,
};
use backsight_normalize::{Change, KERNEL_PID, Record};
use backsight_types::BuildId;
use backsight_types::profile::{self, Profile};

use crate::account::{Ends, LeftOut};
use crate::failure::{Failure, Result, complain};
use crate::file::Shown;

pub(crate) use input::{How, Recording};

use columns::Columns;
use execs::Execs;
use kernel::RecordedKernel;
use leaving::Leaving;
use off_cpu::OffCpu;
use people::People;
use piece::{Piece, Unwound};
use unwind::Unwinders;

pub(crate) use columns::is_called;

/// A recording that is being read.
struct Capture {
    profile: Profile,
    piece: Piece,
    people: People,
    execs: Execs,
    unwinders: Unwinders,
    /// The chain of a sample whose processor kept the stack of calls.
    calls: Unwound,
    /// Samples with branches that are no stack.
    branches: u64,
    /// What the recording says of files whose mappings say no build ID.
    build_ids: HashMap<(Vec<u8>, bool), BuildId>,
    columns: Columns,
    off_cpu: OffCpu,
    leaving: Leaving,
    /// Of the first and the last sample.
    times: Option<(u64, u64)>,
    /// Counts events. They come in order, so that their number is their time.
    order: u64,
    /// What the kernel could not tell.
    lost: u64,
    throttled: u64,
    /// Why stacks that were recorded as memory have no more frames.
    ends: Ends,
}

/// Reads a recording of `perf`. Says what was lost and what was wrong with it. Each time a piece is done, `drain` gets the
/// profile with the samples since the last time, and may take them out.
pub(crate) fn perf_data(
    path: &Path,
    input: Recording<impl Read + Seek>,
    how: &How<'_>,
    drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<(Profile, Problems, LeftOut)> {
    let opened = input.open();
    let mut reader = opened.map_err(|error| Failure::of(Shown(path), error))?;
    let capture = read(path, &mut reader, how, drain)?;
    let say = |what: &dyn fmt::Display| complain(format_args!("{}: {what}", Shown(path)));
    if let Some(what) = capture.unwinders.not_walked() {
        say(&what);
    }
    let mut problems = reader.into_problems();
    // No format that is written has a place for them.
    let what = "branch stacks of samples";
    problems.flaws.leave_out_many(what, capture.branches);
    if let Some(end) = &problems.end {
        say(end);
    }
    if problems.late > 0 {
        say(&format_args!(
            "{} records came too late to be put in order",
            problems.late
        ));
    }
    let mut left_out = LeftOut::default();
    let what = "samples of events that are not chosen";
    left_out.add(what, capture.columns.not_taken());
    left_out.add_other("records that perf lost", capture.lost);
    left_out.add_other(
        "times that the kernel throttled sampling",
        capture.throttled,
    );
    left_out.ends = capture.ends;
    Ok((capture.profile, problems, left_out))
}

fn read<R: Read>(
    path: &Path,
    reader: &mut Reader<R>,
    how: &How<'_>,
    mut drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<Capture> {
    let mut capture = Capture::new(reader.facts(), how);
    if let Some(others) = capture.columns.missing(&reader.facts().events) {
        let what = format_args!("--event {}", how.event.unwrap_or_default());
        return Err(Failure::of(what, others));
    }
    while let Some(event) = reader.next() {
        match event {
            Event::Sample(sample) => capture.sample(&sample),
            other => capture.other(other),
        }
        if capture.piece.is_full() {
            capture.finish_piece();
            capture.events(&reader.facts().events);
            drain(&mut capture.profile)?;
        }
    }
    capture.off_cpu.finish(&mut capture.piece.switches);
    capture.finish_piece();
    capture.conclude(reader.facts());
    let hostname = reader.facts().hostname.clone();
    files::say_unproven(path, hostname.as_deref(), &mut capture.profile);
    drain(&mut capture.profile)?;
    Ok(capture)
}

impl Capture {
    fn new(facts: &Facts, how: &How<'_>) -> Self {
        let mut capture = Self {
            profile: Profile::default(),
            piece: Piece::default(),
            people: People::default(),
            execs: Execs::default(),
            unwinders: Unwinders::new(facts.arch.as_deref()),
            calls: Unwound::default(),
            branches: 0,
            build_ids: HashMap::new(),
            columns: Columns::new(how.event),
            off_cpu: OffCpu::default(),
            leaving: Leaving::default(),
            times: None,
            order: 0,
            lost: 0,
            throttled: 0,
            ends: Ends::default(),
        };
        capture.piece.summed = how.summed;
        capture.piece.trust_inodes = files::is_this_host(facts.hostname.as_deref());
        capture.piece.recorded_kernel = RecordedKernel {
            hostname: facts.hostname.clone(),
            os_release: facts.os_release.clone(),
        };
        capture.take_build_ids(facts);
        capture.events(&facts.events);
        capture
    }

    fn take_build_ids(&mut self, facts: &Facts) {
        for file in &facts.build_ids {
            // The kernel's image may be listed by the path of a vmlinux.
            let is_image = file.is_kernel && !is_kernel_module(&file.path);
            let path = if is_image {
                KERNEL_IMAGE.to_vec()
            } else {
                file.path.clone()
            };
            self.build_ids.insert((path, file.is_kernel), file.build_id);
        }
    }

    fn events(&mut self, events: &[EventType]) {
        self.columns.update(events, &mut self.profile);
        self.off_cpu.set_events(events);
    }

    fn sample(&mut self, sample: &Sample<'_>) {
        self.order += 1;
        let who = self.whose(sample);
        let switch = self.off_cpu.sample(sample, &mut self.piece.switches);
        let Some(first_type) = self.columns.count(sample.event) else {
            return;
        };
        if let Some(user) = &sample.user {
            // To unwind, what is mapped must be known by now, not at the piece's end.
            if self.piece.has_records() {
                self.finish_piece();
            }
            let Self {
                unwinders, piece, ..
            } = self;
            let end = unwinders.unwind(sample, who, user, piece.replay(), &self.profile.modules);
            self.ends.add(end);
        }
        let Self {
            people, profile, ..
        } = self;
        let thread = people.thread(sample.pid, sample.tid, profile);
        if let Some(time) = sample.time_ns {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
        let unwound = match sample.user {
            Some(_) => Some(self.unwinders.found()),
            None if sample.has_stack_of_calls() => {
                self.calls.clear();
                sample.chain().for_each(|entry| self.calls.push(entry));
                Some(&self.calls)
            }
            None => None,
        };
        let are_lost = !sample.branches.is_empty() && !sample.branches.are_calls();
        self.branches = self.branches.saturating_add(u64::from(are_lost));
        self.piece.push(
            self.order,
            who,
            sample,
            unwound,
            profile::Sample {
                thread,
                time_ns: sample.time_ns,
                stack: None,
                first_type,
            },
            switch,
        );
    }

    fn other(&mut self, event: Event<'_>) {
        match event {
            Event::Record(record) => self.record(record),
            Event::Thread {
                time_ns,
                pid,
                tid,
                change,
            } => {
                let strings = &mut self.profile.strings;
                let switches = &mut self.piece.switches;
                match change {
                    ThreadChange::Began {
                        parent_pid,
                        parent_tid,
                    } => {
                        // What was there before the recording has no time.
                        if time_ns > 0 {
                            self.off_cpu.runs(parent_tid, time_ns, switches);
                        }
                        self.off_cpu.began(tid);
                        (self.people).began(time_ns, (pid, tid), (parent_pid, parent_tid));
                    }
                    ThreadChange::Named(name) => {
                        if time_ns > 0 {
                            self.off_cpu.runs(tid, time_ns, switches);
                        }
                        let name = strings.intern(&String::from_utf8_lossy(&name));
                        self.people.named((pid, tid), name);
                    }
                    ThreadChange::Ended => {
                        self.off_cpu.ends(tid, time_ns, switches);
                        self.people.ended((pid, tid));
                    }
                }
            }
            Event::Lost(count) => self.lost = self.lost.saturating_add(count),
            Event::Throttled => self.throttled += 1,
            Event::Switched {
                time_ns,
                tid,
                is_out,
            } => {
                let switches = &mut self.piece.switches;
                if !is_out {
                    self.off_cpu.runs(tid, time_ns, switches);
                }
            }
            Event::Sample(_) => {}
        }
    }

    /// A process that ended may be caught once more, on its way out. So what is known of
    /// it is kept until many others have ended, or its ID is another's.
    fn record(&mut self, record: Record) {
        match &record.change {
            Change::Exit => {
                self.people
                    .exit(record.pid, record.time_ns, &mut self.profile);
                if let Some(gone) = self.leaving.ended(record) {
                    self.gone(gone);
                }
                return;
            }
            Change::Fork { .. } => {
                if let Some(gone) = self.leaving.began(record.pid) {
                    self.gone(gone);
                }
            }
            _ => {}
        }
        self.changed(record);
    }

    /// A process ended, and nothing more comes of it.
    fn gone(&mut self, record: Record) {
        self.leaves_old_program(record.pid);
        self.people.gone(record.pid);
        self.unwinders.forget(record.pid);
        self.changed(record);
    }

    fn changed(&mut self, mut record: Record) {
        self.order += 1;
        let time_ns = record.time_ns;
        record.time_ns = self.order;
        let pid = record.pid;
        match &mut record.change {
            Change::Mmap(mapping) => {
                let is_kernel = pid == KERNEL_PID;
                if mapping.build_id.is_none() && !self.build_ids.is_empty() {
                    let key = (std::mem::take(&mut mapping.name), is_kernel);
                    mapping.build_id = self.build_ids.get(&key).copied();
                    mapping.name = key.0;
                }
                self.people.mapped(pid, time_ns, mapping);
                self.maps_in_new_program(pid, &mapping.name);
            }
            Change::Exec => {
                self.keep_old_program(pid);
                self.people.exec(pid);
                self.unwinders.forget(pid);
            }
            Change::Exit | Change::Fork { .. } | Change::Munmap(_) | Change::Mprotect(..) => {}
        }
        self.unwinders.changed(pid);
        self.piece.record(record);
    }

    fn finish_piece(&mut self) {
        let Self {
            piece,
            profile,
            people,
            ..
        } = self;
        piece.finish(profile);
        piece.add_mappings(people.take_mapped(), profile);
    }
}

/// How mappings name the kernel's image.
const KERNEL_IMAGE: &[u8] = b"[kernel.kallsyms]";

/// Modules are named `[name]` or by the path of their `.ko`, which may be compressed.
fn is_kernel_module(path: &[u8]) -> bool {
    let is_in_brackets = path.starts_with(b"[") && !path.starts_with(b"[kernel.");
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    is_in_brackets || name.windows(3).any(|part| part == b".ko")
}
