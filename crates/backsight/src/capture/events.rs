//! The events of a recording, as they come.

use backsight_normalize::{KERNEL_PID, ProcessChange, ProcessRecord};
use backsight_profile::{self as profile, Profile};
use backsight_types::trace::{Event, EventType, Facts, SampleRecord, ThreadChange, ThreadRecord};

use super::about;
use super::build_ids::BuildIds;
use super::columns::Columns;
use super::ends::Ends;
use super::execs::Execs;
use super::files::{self, Unproven};
use super::input::RecordingOptions;
use super::kernel::RecordedKernel;
use super::leaving::Leaving;
use super::made_code::{MadeCode, called_as_perf_does, is_made};
use super::off_cpu::OffCpu;
use super::people::People;
use super::piece::{Piece, Unwound};
use super::spaces::Who;
use super::unwind::{NotWalked, Unwinders};
use crate::find::ModuleFiles;
use crate::jit::said::MapUse;

/// What is known of a recording up to an event.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) profile: Profile,
    files: ModuleFiles,
    piece: Piece,
    people: People,
    execs: Execs,
    unwinders: Unwinders,
    /// The chain of a sample whose processor kept the stack of calls.
    calls: Unwound,
    /// Samples with branches that are no stack.
    pub(super) branches: u64,
    build_ids: BuildIds,
    pub(super) columns: Columns,
    off_cpu: OffCpu,
    leaving: Leaving,
    /// Of the first and the last sample.
    times: Option<(u64, u64)>,
    /// Counts events. They come in order, so that their number is their time.
    order: u64,
    /// What the kernel could not tell.
    pub(super) lost: u64,
    pub(super) throttled: u64,
    /// Events and changes that this version makes nothing of.
    pub(super) unknown: u64,
    /// Why stacks that were recorded as memory have no more frames.
    pub(super) ends: Ends,
}

impl Capture {
    pub(super) fn new(facts: &Facts, options: RecordingOptions, files: ModuleFiles) -> Self {
        let mut capture = Self {
            profile: Profile::default(),
            piece: Piece::default(),
            people: People::default(),
            execs: Execs::default(),
            unwinders: Unwinders::new(facts.arch.as_deref(), files.host()),
            calls: Unwound::default(),
            branches: 0,
            build_ids: BuildIds::default(),
            columns: Columns::new(options.event),
            off_cpu: OffCpu::default(),
            leaving: Leaving::default(),
            times: None,
            order: 0,
            lost: 0,
            throttled: 0,
            unknown: 0,
            ends: Ends::default(),
            files,
        };
        capture.piece.summed = options.summed;
        let is_of_host = files::is_of(capture.files.host(), facts.hostname.as_deref());
        capture.piece.places.made = MadeCode::new(options.maps, facts, is_of_host);
        let hostname = facts.hostname.as_deref();
        capture.piece.trust_inodes = files::is_of(capture.files.host(), hostname);
        capture.piece.recorded_kernel = RecordedKernel {
            hostname: facts.hostname.clone(),
            os_release: facts.os_release.clone(),
        };
        capture.build_ids.take(facts);
        capture.events(&facts.events);
        capture
    }

    /// Returns what events there are when none is called as asked for.
    pub(super) fn missing(&self, events: &[EventType]) -> Option<Vec<String>> {
        self.columns.missing(events)
    }

    /// Whether enough waits to be replayed.
    pub(super) fn is_full(&self) -> bool {
        self.piece.is_full()
    }

    /// Returns what came of looking for names of code that was made at run time.
    pub(super) fn take_maps(&mut self) -> Vec<MapUse> {
        self.piece.places.made.take_uses()
    }

    /// Returns which stacks were recorded as memory and not walked, and how many.
    pub(super) fn not_walked(&self) -> Option<NotWalked> {
        self.unwinders.not_walked()
    }

    /// Takes the events' types, of which more may become known.
    pub(super) fn events(&mut self, events: &[EventType]) {
        self.columns.update(events, &mut self.profile);
        self.off_cpu.set_events(events);
    }

    /// Takes a sample.
    fn sample(&mut self, sample: &SampleRecord<'_>) {
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
                unwinders,
                piece,
                files,
                ..
            } = self;
            let known = (piece.replay(), &self.profile.modules[..]);
            let end = unwinders.unwind(sample, who, user, known, files);
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

    /// Takes an event.
    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Process(record) => self.record(record),
            Event::Thread(record) => self.thread(record),
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
            Event::Sample(sample) => self.sample(&sample),
            _ => self.unknown = self.unknown.saturating_add(1),
        }
    }

    fn thread(&mut self, record: ThreadRecord) {
        let ThreadRecord {
            time_ns,
            pid,
            tid,
            change,
        } = record;
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
            _ => self.unknown = self.unknown.saturating_add(1),
        }
    }

    /// A process that ended may be caught once more, on its way out. So what is known of
    /// it is kept until many others have ended, or its ID is another's.
    fn record(&mut self, record: ProcessRecord) {
        match &record.change {
            ProcessChange::Exit => {
                self.people
                    .exit(record.pid, record.time_ns, &mut self.profile);
                if let Some(gone) = self.leaving.ended(record) {
                    self.gone(gone);
                }
                return;
            }
            ProcessChange::Fork { .. } => {
                if let Some(gone) = self.leaving.began(record.pid) {
                    self.gone(gone);
                }
            }
            _ => {}
        }
        self.changed(record);
    }

    /// A process ended, and nothing more comes of it.
    fn gone(&mut self, record: ProcessRecord) {
        self.leaves_old_program(record.pid);
        self.people.gone(record.pid);
        self.unwinders.forget(record.pid);
        self.changed(record);
    }

    fn changed(&mut self, mut record: ProcessRecord) {
        self.order += 1;
        let time_ns = record.time_ns;
        record.time_ns = self.order;
        let pid = record.pid;
        match &mut record.change {
            ProcessChange::Mmap(mapping) => {
                let is_kernel = pid == KERNEL_PID;
                if mapping.build_id.is_none() {
                    mapping.build_id = self.build_ids.of(&mut mapping.name, is_kernel);
                }
                (self.piece.places.made).dump_mapped(pid, mapping, &self.files);
                if is_made(pid, mapping) {
                    called_as_perf_does(pid, mapping);
                    self.piece.places.made.mapped(pid);
                }
                self.people.mapped(pid, time_ns, mapping);
                self.maps_in_new_program(pid, &mapping.name);
            }
            ProcessChange::Exec => {
                self.piece.places.made.began(pid, time_ns);
                self.keep_old_program(pid);
                self.people.exec(pid);
                self.unwinders.forget(pid);
            }
            ProcessChange::Fork { .. } => self.piece.places.made.began(pid, time_ns),
            ProcessChange::Exit => self.piece.places.made.gone(pid),
            ProcessChange::Munmap(_) | ProcessChange::Mprotect(..) => {}
            // The replay takes it for a process that nothing is known of.
            _ => self.unknown = self.unknown.saturating_add(1),
        }
        self.unwinders.changed(pid);
        self.piece.record(record);
    }

    /// Replays what waits, and puts it into the profile.
    pub(super) fn finish_piece(&mut self) {
        let Self {
            piece,
            profile,
            people,
            files,
            ..
        } = self;
        piece.finish(profile, files);
        piece.add_mappings(people.take_mapped(), profile);
    }

    /// The recording ended: replays what is left, and says what is known at the end alone.
    pub(super) fn conclude(&mut self, facts: &Facts) -> Unproven {
        self.off_cpu.finish(&mut self.piece.switches);
        self.finish_piece();
        self.events(&facts.events);
        self.columns.choose(&mut self.profile);
        self.build_ids.take(facts);
        about::complete(&self.build_ids, &mut self.profile);
        about::comment(facts, self.times, &mut self.profile);
        files::unproven(
            self.files.host(),
            facts.hostname.as_deref(),
            &mut self.profile,
        )
    }

    /// Returns whose memory a sample is of.
    fn whose(&mut self, sample: &SampleRecord<'_>) -> Who {
        let (who, ended) = self.execs.seen(sample, self.order);
        self.old_program(ended);
        who
    }

    /// A process runs another program, which is recorded next.
    fn keep_old_program(&mut self, pid: u32) {
        let kept = self.execs.began(pid, self.order);
        self.old_program(kept);
    }

    /// A process mapped something, which is recorded next.
    fn maps_in_new_program(&mut self, pid: u32, name: &[u8]) {
        let ended = self.execs.mapped(pid, name, self.order);
        self.old_program(ended);
    }

    /// A process ended.
    fn leaves_old_program(&mut self, pid: u32) {
        let ended = self.execs.ended(pid, self.order);
        self.old_program(ended);
    }

    fn old_program(&mut self, record: Option<ProcessRecord>) {
        if let Some(record) = record {
            match record.change {
                ProcessChange::Exit => self.unwinders.forget(record.pid),
                _ => self.unwinders.changed(record.pid),
            }
            self.piece.record(record);
        }
    }
}
