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

mod chains;
mod files;
mod kernel;
mod people;
mod piece;
mod places;
mod unwind;

use std::collections::HashMap;
use std::fmt;
use std::io::{Read, Seek};
use std::path::Path;

use backsight_formats::perf_data::{
    Error, Event, EventType, Facts, Problems, Reader, Sample, ThreadChange,
};
use backsight_normalize::{Change, KERNEL_PID, Record};
use backsight_types::profile::{self, Profile, ValueType};
use backsight_types::{BuildId, ModuleKind};

use crate::failure::{Failure, Result, complain};
use crate::file::Shown;

use kernel::RecordedKernel;
use people::People;
use piece::{Piece, Unwound};
use unwind::Unwinders;

/// A recording that is being read.
struct Capture {
    profile: Profile,
    piece: Piece,
    people: People,
    unwinders: Unwinders,
    /// The chain of a sample whose processor kept the stack of calls.
    calls: Unwound,
    /// Samples with branches that are no stack.
    branches: u64,
    /// What the recording says of files whose mappings say no build ID.
    build_ids: HashMap<(Vec<u8>, bool), BuildId>,
    /// For each event the place of its first value type.
    value_types: Vec<u32>,
    /// Of the first and the last sample.
    times: Option<(u64, u64)>,
    /// Counts events. They come in order, so that their number is their time.
    order: u64,
    /// What the kernel could not tell.
    lost: u64,
    throttled: u64,
}

/// Where a recording is read from.
pub(crate) enum Recording<R> {
    /// A file, and those that belong to it: see [`Reader::directory`].
    Files(Vec<R>),
    /// What cannot go back.
    Pipe(R),
}

impl<R: Read + Seek> Recording<R> {
    fn open(self) -> Result<Reader<R>, Error> {
        match self {
            Self::Pipe(input) => Reader::stream(input),
            Self::Files(files) => {
                let mut files = files.into_iter();
                let first = files.next().ok_or(Error::NotPerfData)?;
                Reader::directory(first, files.collect())
            }
        }
    }
}

/// Reads a recording of `perf`. Says what was lost and what was wrong with it. Each time a piece is done, `drain` gets the
/// profile with the samples since the last time, and may take them out.
pub(crate) fn perf_data(
    path: &Path,
    input: Recording<impl Read + Seek>,
    summed: bool,
    drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<(Profile, Problems)> {
    let opened = input.open();
    let mut reader = opened.map_err(|error| Failure::of(Shown(path), error))?;
    let capture = read(&mut reader, summed, drain)?;
    let say = |what: &dyn fmt::Display| complain(format_args!("{}: {what}", Shown(path)));
    if capture.lost > 0 {
        say(&format_args!("perf lost {} records", capture.lost));
    }
    if capture.throttled > 0 {
        say(&format_args!(
            "the kernel took fewer samples {} times",
            capture.throttled
        ));
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
    Ok((capture.profile, problems))
}

fn read<R: Read>(
    reader: &mut Reader<R>,
    summed: bool,
    mut drain: impl FnMut(&mut Profile) -> Result<()>,
) -> Result<Capture> {
    let mut capture = Capture::new(reader.facts(), summed);
    while let Some(event) = reader.next() {
        match event {
            Event::Sample(sample) => capture.sample(&sample),
            other => capture.other(other),
        }
        if capture.piece.is_full() {
            capture.finish_piece();
            capture.value_types(&reader.facts().events);
            drain(&mut capture.profile)?;
        }
    }
    capture.finish_piece();
    capture.conclude(reader.facts());
    drain(&mut capture.profile)?;
    Ok(capture)
}

impl Capture {
    fn new(facts: &Facts, summed: bool) -> Self {
        let mut capture = Self {
            profile: Profile::default(),
            piece: Piece::default(),
            people: People::default(),
            unwinders: Unwinders::new(facts.arch.as_deref()),
            calls: Unwound::default(),
            branches: 0,
            build_ids: HashMap::new(),
            value_types: Vec::new(),
            times: None,
            order: 0,
            lost: 0,
            throttled: 0,
        };
        capture.piece.summed = summed;
        capture.piece.trust_inodes = files::is_this_host(facts.hostname.as_deref());
        capture.piece.recorded_kernel = RecordedKernel {
            hostname: facts.hostname.clone(),
            os_release: facts.os_release.clone(),
        };
        capture.take_build_ids(facts);
        capture.value_types(&facts.events);
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

    /// Each event has two values: how many samples, and how much they stand for.
    fn value_types(&mut self, events: &[EventType]) {
        let is_only = events.iter().filter(|event| is_shown(event)).count() == 1;
        for event in events.iter().skip(self.value_types.len()) {
            let at = self.profile.sample_types.len();
            self.value_types.push(u32::try_from(at).unwrap_or(u32::MAX));
            if !is_shown(event) {
                continue;
            }
            let samples = match is_only {
                true => "samples".to_owned(),
                false => format!("{}-samples", event.name),
            };
            let strings = &mut self.profile.strings;
            let mut value = |kind: &str, unit: &str| ValueType {
                kind: strings.intern(kind),
                unit: strings.intern(unit),
            };
            let count = value(&samples, "count");
            let amount = value(&event.name, event.unit.as_str());
            self.profile.sample_types.extend([count, amount]);
            if let Some(period) = event.period.filter(|_| is_only) {
                let period = i64::try_from(period).unwrap_or(i64::MAX);
                self.profile.period = Some((amount, period));
            }
        }
    }

    fn sample(&mut self, sample: &Sample<'_>) {
        self.order += 1;
        if let Some(user) = &sample.user {
            // To unwind, what is mapped must be known by now, not at the piece's end.
            if self.piece.has_records() {
                self.finish_piece();
            }
            let Self {
                unwinders, piece, ..
            } = self;
            unwinders.unwind(sample, user, piece.replay(), &self.profile.modules);
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
        let first_type = self.value_types.get(sample.event).copied();
        self.piece.push(
            self.order,
            sample,
            unwound,
            profile::Sample {
                thread,
                time_ns: sample.time_ns,
                stack: None,
                first_type: first_type.unwrap_or_default(),
            },
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
                match change {
                    ThreadChange::Began {
                        parent_pid,
                        parent_tid,
                    } => (self.people).began(time_ns, (pid, tid), (parent_pid, parent_tid)),
                    ThreadChange::Named(name) => {
                        let name = strings.intern(&String::from_utf8_lossy(&name));
                        self.people.named((pid, tid), name);
                    }
                    ThreadChange::Ended => self.people.ended((pid, tid)),
                }
            }
            Event::Lost(count) => self.lost = self.lost.saturating_add(count),
            Event::Throttled => self.throttled += 1,
            Event::Switched { .. } | Event::Sample(_) => {}
        }
    }

    fn record(&mut self, mut record: Record) {
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
            }
            Change::Exec => {
                self.people.exec(pid);
                self.unwinders.forget(pid);
            }
            Change::Exit => {
                self.people.exit(pid, time_ns, &mut self.profile);
                self.unwinders.forget(pid);
            }
            Change::Fork { .. } | Change::Munmap(_) | Change::Mprotect(..) => {}
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

    /// Says what is known at the end alone.
    fn conclude(&mut self, facts: &Facts) {
        self.value_types(&facts.events);
        self.take_build_ids(facts);
        // A pipe tells build IDs last.
        for module in &mut self.profile.modules {
            let is_kernel = module.kind == ModuleKind::Kernel;
            if module.build_id.is_none() && !module.deleted {
                let key = (std::mem::take(&mut module.path), is_kernel);
                module.build_id = self.build_ids.get(&key).copied();
                module.path = key.0;
            }
        }
        let Profile {
            comments, strings, ..
        } = &mut self.profile;
        let mut say = |what: &str, text: Option<&str>| {
            if let Some(text) = text {
                comments.push(strings.intern(&format!("{what}: {text}")));
            }
        };
        let command = facts.command.join(" ");
        say(
            "command",
            Some(command.as_str()).filter(|text| !text.is_empty()),
        );
        say("host", facts.hostname.as_deref());
        say("kernel", facts.os_release.as_deref());
        say("machine", facts.arch.as_deref());
        say("processor", facts.cpu.as_deref());
        say("perf", facts.perf_version.as_deref());
        if let Some((first, last)) = self.times {
            self.profile.duration_ns = last.checked_sub(first);
            // One instant on both clocks puts all others into the calendar.
            let since_1970 = facts.clock.and_then(|(wall, clock)| {
                let boot = wall.checked_sub(clock)?;
                boot.checked_add(first)
            });
            self.profile.start_ns = since_1970;
        }
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

/// perf adds events that count nothing, to be told of mappings.
fn is_shown(event: &EventType) -> bool {
    !event.name.starts_with("dummy")
}
