//! Consumes the events of a recording, in time order.

use backsight_normalize::{KERNEL_PID, ProcessChange, ProcessRecord};
use backsight_profile::{self as profile, Profile};
use backsight_types::BuildId;
use backsight_types::trace::{Event, EventType, Facts, Mmap, SampleRecord};

use super::archives::Archives;
use super::build_ids::RecordedBuildIds;
use super::columns::Columns;
use super::ends::Ends;
use super::execs::Execs;
use super::exited::ExitedProcesses;
use super::files;
use super::input::RecordingOptions;
use super::kernel::RecordedKernel;
use super::last_stacks::LastStacks;
use super::live_files::{LiveFiles, VDSO, is_for_code};
use super::made_code::MadeCode;
use super::made_memory::called_as_perf_does;
use super::off_cpu::OffCpu;
use super::piece::{Piece, Unwound};
use super::spaces::LookupPids;
use super::threads::{HIDDEN, ThreadTable};
use super::unwind::{NotWalked, Unwinders};
use crate::find::ModuleFiles;
use crate::jit::said::MapUse;
use crate::kernel::IMAGE_PATH;

/// The state of a recording up to the current event.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) profile: Profile,
    pub(super) files: ModuleFiles,
    pub(super) piece: Piece,
    pub(super) threads: ThreadTable,
    execs: Execs,
    pub(super) unwinders: Unwinders,
    /// The chain of a sample with LBR call stack.
    calls: Unwound,
    /// Samples with branch records that are not a call stack.
    pub(super) branches: u64,
    pub(super) build_ids: RecordedBuildIds,
    pub(super) archives: Archives,
    /// The build ID in the record of the kernel's image.
    kernel_build_id: Option<BuildId>,
    /// `None` if the processes are not known to be alive.
    pub(super) live: Option<LiveFiles>,
    /// With more modules, those that nobody has mapped are forgotten when a profile is taken.
    pub(super) max_modules: usize,
    pub(super) columns: Columns,
    pub(super) off_cpu: OffCpu,
    pub(super) last_stacks: LastStacks,
    exited: ExitedProcesses,
    /// The times of the first and the last sample, in nanoseconds.
    pub(super) times: Option<(u64, u64)>,
    /// The number of the current event. It serves as time in the replay, since events come in
    /// order.
    pub(super) order: u64,
    /// Records that the kernel could not write.
    pub(super) lost: u64,
    pub(super) throttled: u64,
    /// Events and changes of a kind that this version does not handle.
    pub(super) unknown: u64,
    /// Why the unwinding of recorded stack memory ended.
    pub(super) ends: Ends,
}

impl Capture {
    pub(super) fn new(facts: &Facts, options: RecordingOptions, files: ModuleFiles) -> Self {
        let mut capture = Self {
            profile: Profile::default(),
            piece: Piece::default(),
            threads: ThreadTable::default(),
            execs: Execs::default(),
            unwinders: Unwinders::new(facts.arch.as_deref(), files.host()),
            calls: Unwound::default(),
            branches: 0,
            build_ids: RecordedBuildIds::default(),
            archives: Archives::default(),
            kernel_build_id: None,
            live: None,
            max_modules: 0,
            columns: Columns::new(options.event),
            off_cpu: OffCpu::default(),
            last_stacks: LastStacks::default(),
            exited: ExitedProcesses::default(),
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
        capture.learn(facts);
        capture.events(&facts.events);
        capture
    }

    /// Takes what the recording has said so far of its kernel and of the build IDs of files. In a
    /// pipe, that comes among the events.
    pub(super) fn learn(&mut self, facts: &Facts) {
        let recorded = &mut self.piece.recorded_kernel;
        // Asked before each event, so without comparing texts.
        let is_told =
            |known: &Option<String>, told: &Option<String>| known.is_some() || told.is_none();
        let is_known = is_told(&recorded.hostname, &facts.hostname)
            && is_told(&recorded.os_release, &facts.os_release);
        if !is_known {
            *recorded = RecordedKernel {
                hostname: facts.hostname.clone(),
                os_release: facts.os_release.clone(),
            };
        }
        self.build_ids.take(facts);
        self.piece.places.kernel.learn_programs(facts);
    }

    /// Returns the names of all events if none matches the requested name.
    pub(super) fn missing(&self, events: &[EventType]) -> Option<Vec<String>> {
        self.columns.missing(events)
    }

    /// Whether enough data is buffered to replay it.
    pub(super) fn is_full(&self) -> bool {
        self.piece.is_full()
    }

    /// Returns what came of looking for names of code that was made at run time.
    pub(super) fn take_maps(&mut self) -> Vec<MapUse> {
        self.piece.places.made.take_uses()
    }

    /// Returns the stacks of recorded memory that were not unwound.
    pub(super) fn not_walked(&self) -> Option<NotWalked> {
        self.unwinders.not_walked()
    }

    /// Takes the event types listed so far. More may follow.
    pub(super) fn events(&mut self, events: &[EventType]) {
        self.columns.update(events, &mut self.profile);
        self.off_cpu.set_events(events);
        self.last_stacks.set_events(events);
    }

    /// Handles a sample.
    fn sample(&mut self, sample: &SampleRecord<'_>) {
        self.order += 1;
        let who = self.whose(sample);
        let switch = self.off_cpu.sample(sample, &mut self.piece.switches);
        let Some(first_type) = self.columns.count(sample.event) else {
            return;
        };
        if let Some(user) = &sample.user {
            // Unwinding needs the current mappings, so buffered mapping records are replayed
            // first.
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
            threads, profile, ..
        } = self;
        let pid = match sample.is_of_hidden_process() {
            true => HIDDEN,
            false => sample.pid,
        };
        let thread = threads.thread(pid, sample.tid, profile);
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
        self.last_stacks.seen(sample, who, unwound);
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

    /// Handles an event.
    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Process(record) => self.record(record),
            Event::Thread(record) => self.thread(record),
            Event::Lost(count) => self.lost = self.lost.saturating_add(count),
            Event::Throttled => self.throttled += 1,
            Event::Switched {
                time_ns,
                pid,
                tid,
                is_out,
            } => match is_out {
                true => self.switched_out(time_ns, pid, tid),
                false => self.off_cpu.runs(tid, time_ns, &mut self.piece.switches),
            },
            Event::Sample(sample) => self.sample(&sample),
            _ => self.unknown = self.unknown.saturating_add(1),
        }
    }

    /// An exiting process may be sampled after its exit record. So its state is kept until many
    /// others have exited, or until its PID is reused.
    fn record(&mut self, record: ProcessRecord) {
        match &record.change {
            ProcessChange::Exit => {
                self.threads
                    .exit(record.pid, record.time_ns, &mut self.profile);
                if let Some(gone) = self.exited.ended(record) {
                    self.gone(gone);
                }
                return;
            }
            ProcessChange::Fork { .. } => {
                if let Some(gone) = self.exited.began(record.pid) {
                    self.gone(gone);
                }
            }
            _ => {}
        }
        self.changed(record);
    }

    /// Drops the state of a process that exited, once no more samples of it are expected.
    fn gone(&mut self, record: ProcessRecord) {
        self.leaves_old_program(record.pid);
        self.threads.gone(record.pid);
        self.unwinders.forget(record.pid);
        self.piece.labels.gone(record.pid);
        self.changed(record);
    }

    fn changed(&mut self, mut record: ProcessRecord) {
        self.order += 1;
        let time_ns = record.time_ns;
        record.time_ns = self.order;
        let pid = record.pid;
        if let Some(live) = &mut self.live {
            live.changed(pid, &record.change);
        }
        match &mut record.change {
            ProcessChange::Mmap(mapping) => {
                let is_kernel = pid == KERNEL_PID;
                if mapping.build_id.is_none() {
                    mapping.build_id = self.build_ids.of(&mut mapping.name, is_kernel);
                }
                if is_kernel && mapping.name.starts_with(IMAGE_PATH) {
                    self.kernel_build_id = mapping.build_id;
                }
                if mapping.name == VDSO && mapping.build_id.is_none() {
                    mapping.build_id = self.vdso_of_same_kernel(mapping);
                }
                if !is_kernel && let Some(live) = &mut self.live {
                    live.mapped(pid, self.order, mapping, &self.files);
                }
                if !is_kernel {
                    let trust_inodes = self.piece.trust_inodes;
                    self.archives.mapped(mapping, &self.files, trust_inodes);
                }
                (self.piece.places.made).dump_mapped(pid, mapping, &self.files);
                if let Some((maker, memory)) = self.piece.places.injected.memory_met(mapping) {
                    self.piece.record(ProcessRecord {
                        time_ns: self.order,
                        pid: maker,
                        change: ProcessChange::Mmap(memory),
                    });
                }
                let (made, files) = (&mut self.piece.places.made, &self.files);
                let is_listed = || made.lists_code_in(pid, mapping.range, files);
                if is_for_code(pid, mapping, self.live.as_mut(), is_listed) {
                    called_as_perf_does(pid, mapping);
                    self.piece.places.made.mapped(pid);
                }
                self.threads.mapped(pid, time_ns, mapping);
                self.maps_in_new_program(pid, &mapping.name);
            }
            ProcessChange::Exec => {
                self.piece.places.made.began(pid, time_ns);
                self.keep_old_program(pid);
                self.threads.exec(pid);
                self.last_stacks.forget(pid);
                self.unwinders.forget(pid);
            }
            ProcessChange::Fork { .. } => self.piece.places.made.began(pid, time_ns),
            ProcessChange::Exit => self.piece.places.made.gone(pid),
            ProcessChange::Munmap(_) | ProcessChange::Mprotect(..) => {}
            // The replay treats the process as unknown from here on.
            _ => self.unknown = self.unknown.saturating_add(1),
        }
        self.unwinders.changed(pid);
        self.piece.record(record);
    }

    /// Returns the build ID of the host's vDSO, which is a part of its kernel, if the recording is
    /// proven to be of that kernel.
    fn vdso_of_same_kernel(&self, mapping: &Mmap) -> Option<BuildId> {
        let listed = || self.build_ids.of(&mut IMAGE_PATH.to_vec(), true);
        let recorded = self.kernel_build_id.or_else(listed)?;
        let host = self.files.host();
        let is_same = host.kernel_build_id == Some(recorded);
        is_same.then(|| host.vdso_like(mapping)).flatten()
    }

    /// Returns in which processes the addresses of a sample are looked up.
    fn whose(&mut self, sample: &SampleRecord<'_>) -> LookupPids {
        let (who, ended) = self.execs.seen(sample, self.order);
        self.old_program(ended);
        who
    }

    /// Keeps the old program's mappings when a process calls `execve`; must precede the `Exec`
    /// record.
    fn keep_old_program(&mut self, pid: u32) {
        let kept = self.execs.began(pid, self.order);
        self.old_program(kept);
    }

    /// Notes a mapping of a process inside `execve`; must precede the mapping's record.
    fn maps_in_new_program(&mut self, pid: u32, name: &[u8]) {
        let ended = self.execs.mapped(pid, name, self.order);
        self.old_program(ended);
    }

    /// Drops the old program's mappings when a process exits.
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
