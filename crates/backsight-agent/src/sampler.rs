//! Samples a target, and returns what happens as events.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backsight_formats::perf_data::{Problems, Reader};
use backsight_types::trace::{Event, EventType, Facts};
use nix::errno::Errno;
use nix::libc::O_DIRECTORY;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{SysconfVar, sysconf};

use crate::attr::{self, flag};
use crate::clock::{clock_pair, now_ns};
use crate::cpus;
use crate::error::{SamplingError, errno};
use crate::existing::{self, ExistingProcesses};
use crate::kernel;
use crate::living::LivingProcesses;
use crate::notes::SamplingNote;
use crate::opening::Opening;
use crate::options::{CallGraph, SamplingOptions, Target};
use crate::record;
use crate::record_stream::{RecordSource, RecordStream};
use crate::ring_set::RingSet;
use crate::stopper::Stopper;
use crate::waiting::WaitingThreads;

/// Samples a target.
///
/// The events are those of a recording of perf, in time order, about 0.2 to 2 seconds late: an
/// event waits until no earlier one can follow from another processor.
pub struct Sampler {
    reader: Reader<RecordStream>,
    source: Arc<Mutex<RecordSource>>,
    facts: Facts,
    notes: Vec<SamplingNote>,
    living: LivingProcesses,
    waiting: WaitingThreads,
    started: Instant,
}

/// The event of the time that threads do not run, where each wait counts for the last stack that
/// its thread had while it ran: [`SamplingNote::SwitchesWithoutStacks`].
pub const OFF_CPU_LAST_STACK: &str = "off-cpu-last-stack";

impl Sampler {
    /// Opens the events of a target, and starts sampling.
    ///
    /// # Errors
    /// If the target does not exist, this user may not sample it, or the kernel cannot.
    pub fn start(target: &Target, options: &SamplingOptions) -> Result<Self, SamplingError> {
        options.check()?;
        if existing::is_foreign() {
            return Err(SamplingError::ForeignProc);
        }
        let (target, threads) = of_processes(target);
        let target = &target;
        let page_size = page_size();
        let pages = options.buffer_pages.unwrap_or(match options.call_graph {
            CallGraph::FramePointers => 128,
            CallGraph::StackMemory { .. } => 1024,
        });
        let mut opening = Opening::new(options, RingSet::new(pages, page_size));
        let cpus = cpus::online();
        opening.notes.extend(threads);
        let mut existing = ExistingProcesses::default();
        let mut written = Vec::new();
        let living = match target {
            Target::Processes(pids) => LivingProcesses::of(opening.processes(pids, &cpus)?),
            Target::Launched(pid) => {
                opening.launched(*pid, &cpus)?;
                LivingProcesses::of(HashSet::from([*pid]))
            }
            Target::Everyone => {
                opening.everyone(&cpus)?;
                LivingProcesses::Everyone
            }
            Target::Cgroup(path) => {
                let directory = cgroup(path)?;
                opening.cgroup(path, directory.as_fd(), &cpus)?;
                LivingProcesses::Everyone
            }
        };
        let Opening {
            rings,
            attrs,
            mut notes,
            has_last_stacks,
            ..
        } = opening;
        record::file_header(&mut written);
        for (at, attr) in attrs.iter().enumerate() {
            record::event(&mut written, attr, &rings.ids(at)?);
        }
        if attrs
            .first()
            .is_some_and(|attr| !attr.has(flag::EXCLUDE_KERNEL))
            && !kernel::write(&mut written)
        {
            notes.push(SamplingNote::KernelNamesHidden);
        }
        // Started before the processes are read: what they map from now on is recorded.
        let clock = clock_pair();
        if !matches!(target, Target::Launched(_)) {
            rings
                .enable()
                .map_err(SamplingError::io("start sampling"))?;
        }
        for pid in present(target)? {
            existing.write(pid, 0, &mut written);
        }
        let mut waiting = WaitingThreads::default();
        let members = match target {
            Target::Processes(pids) => pids.iter().copied().collect(),
            Target::Cgroup(path) => existing::members(path),
            _ => HashSet::new(),
        };
        if options.off_cpu {
            waiting.write(&members, &mut written);
        }
        if matches!(target, Target::Cgroup(_)) {
            existing.unreadable.retain(|(pid, _)| members.contains(pid));
        }
        if let Some((pid, errno)) = existing.unreadable.first().copied() {
            notes.push(SamplingNote::MapsUnreadable {
                processes: u64::try_from(existing.unreadable.len()).unwrap_or(u64::MAX),
                pid,
                errno,
            });
        }
        let source = RecordSource {
            rings,
            written,
            ..RecordSource::default()
        };
        let source = Arc::new(Mutex::new(source));
        let reader = Reader::stream(RecordStream::new(Arc::clone(&source)));
        let reader = reader.map_err(|error| SamplingError::Io {
            operation: "read the first records",
            error: io::Error::other(error.to_string()),
        })?;
        let mut facts = reader.facts().clone();
        describe(&mut facts, clock);
        if has_last_stacks {
            let mut waits = EventType::new(OFF_CPU_LAST_STACK);
            (waits.is_of_switches, waits.has_last_stacks) = (true, true);
            facts.events.push(waits);
        }
        Ok(Self {
            reader,
            source,
            facts,
            notes,
            living,
            waiting,
            started: Instant::now(),
        })
    }

    /// Returns what is known about the recording: the machine, the clock and the events.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns mutable access to the facts, for example to add the command.
    pub fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// Returns what cannot be sampled, and why.
    #[must_use]
    pub fn notes(&self) -> &[SamplingNote] {
        &self.notes
    }

    /// Waits until a buffer is filled to a part, at most for this time.
    ///
    /// # Errors
    /// If waiting fails, other than for a signal.
    pub fn wait(&self, at_most: Duration) -> Result<(), SamplingError> {
        let until = Instant::now().checked_add(at_most);
        let source = self.source();
        let mut fds: Vec<_> = source.rings.descriptors().collect();
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.unwrap_or(at_most);
            if left.is_zero() {
                return Ok(());
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let polled = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut polling: Vec<PollFd<'_>> = fds.iter().copied().map(polled).collect();
            match poll(&mut polling, timeout) {
                Ok(0) | Err(Errno::EINTR) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(SamplingError::io("wait for samples")(error.into())),
            }
            let events = polling
                .iter()
                .map(|it| it.revents().unwrap_or(PollFlags::empty()));
            let events: Vec<PollFlags> = events.collect();
            if events.iter().any(|it| it.contains(PollFlags::POLLIN)) {
                return Ok(());
            }
            // The threads of these events have ended: they are always ready.
            let mut events = events.iter();
            fds.retain(|_| events.next().is_some_and(PollFlags::is_empty));
        }
    }

    /// Passes all events on that are complete, in time order.
    pub fn drain(&mut self, mut take: impl FnMut(Event<'_>)) {
        // What the buffers have when the call begins, and the round after it: the reader holds
        // the events of a round back until the next one.
        while let Some(event) = self.reader.next() {
            self.living.take(&event);
            take(self.waiting.named(event));
        }
    }

    /// Adds what is known now of processes that this user can see. For when records were lost, and
    /// with them mappings.
    pub fn look_again(&mut self) {
        let time_ns = now_ns();
        let pids = match &self.living {
            LivingProcesses::Everyone => existing::all_processes(),
            LivingProcesses::Of(of) => of.pids().collect(),
        };
        let mut existing = ExistingProcesses::default();
        let mut found = Vec::new();
        for pid in pids {
            existing.write_mappings(pid, time_ns, &mut found);
        }
        self.source().written.append(&mut found);
    }

    /// Returns whether all processes of the target have ended. Those of a cgroup, and of the whole
    /// machine, never do.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match &self.living {
            LivingProcesses::Everyone => false,
            LivingProcesses::Of(of) => !of.pids().any(existing::is_alive),
        }
    }

    /// Returns the time up to which all events have been passed on, in nanoseconds on the clock of
    /// the events: what waits then has waited until then. After [`stop`](Self::stop), the time
    /// at which sampling was stopped.
    #[must_use]
    pub fn reached_ns(&self) -> u64 {
        let source = self.source();
        match (source.stopped_ns, source.is_ending) {
            (Some(stopped), true) => stopped,
            (stopped, _) => source.reached_ns.min(stopped.unwrap_or(u64::MAX)),
        }
    }

    /// Returns how many processes of the target have vanished from the recording: they called `execve` of a program that this user may not observe
    /// (set-user-ID, or not readable), where the kernel removes the events.
    #[must_use]
    pub fn vanished(&self) -> u64 {
        self.living.vanished()
    }

    /// Returns how many threads of the target did not run when sampling began, of those that were
    /// looked at: all of processes or of a cgroup, if the time off the processor is recorded. Each
    /// has a wait whose stack is not known.
    #[must_use]
    pub fn waiting_at_begin(&self) -> usize {
        self.waiting.count()
    }

    /// Returns how long sampling has been going on, or went on until it was stopped.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let until = self.source().stopped.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.started)
    }

    /// Returns the bytes of all buffers, and the most that were in them at once.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        let source = self.source();
        (source.rings.size(), source.most_bytes)
    }

    /// Returns what stops sampling from another thread, for example when a time is over.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper::new(Arc::clone(&self.source))
    }

    /// Stops sampling, and passes the last events on.
    pub fn stop(&mut self, mut take: impl FnMut(Event<'_>)) {
        self.stopper().stop();
        self.drain(&mut take);
        self.source().is_ending = true;
        self.drain(&mut take);
    }

    /// Ends sampling, and returns the problems with the records. Events that
    /// [`stop`](Self::stop) has not passed on are dropped.
    #[must_use]
    pub fn into_problems(self) -> Problems {
        self.reader.into_problems()
    }

    fn source(&self) -> MutexGuard<'_, RecordSource> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampler")
            .field("facts", &self.facts)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// Returns the target with processes in place of threads, each of which is noted.
fn of_processes(target: &Target) -> (Target, Vec<SamplingNote>) {
    let Target::Processes(ids) = target else {
        return (target.clone(), Vec::new());
    };
    let mut notes = Vec::new();
    let pids = ids.iter().map(|id| {
        let pid = existing::process_of(*id).unwrap_or(*id);
        if pid != *id {
            notes.push(SamplingNote::ThreadOfProcess { tid: *id, pid });
        }
        pid
    });
    let pids = pids.collect();
    (Target::Processes(pids), notes)
}

/// Returns the processes of a target whose mappings are read.
fn present(target: &Target) -> Result<Vec<u32>, SamplingError> {
    match target {
        // Each once, as threads of one may have been given.
        Target::Processes(pids) => Ok(pids
            .iter()
            .copied()
            .collect::<BTreeSet<u32>>()
            .into_iter()
            .collect()),
        Target::Launched(pid) => Ok(vec![*pid]),
        // Threads of other cgroups never appear in samples; that their processes are known does
        // no harm, and a process may be moved into the cgroup later.
        Target::Everyone | Target::Cgroup(_) => Ok(existing::all_processes()),
    }
}

fn cgroup(path: &Path) -> Result<File, SamplingError> {
    let opened = File::options()
        .read(true)
        .custom_flags(O_DIRECTORY)
        .open(path);
    opened.map_err(|error| match errno(&error) {
        Some(Errno::ENOENT | Errno::ENOTDIR) => SamplingError::NoCgroup {
            path: path.to_owned(),
        },
        _ => SamplingError::io("open the directory of the cgroup")(error),
    })
}

fn page_size() -> usize {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| usize::try_from(size).ok())
        .unwrap_or(4096)
}

/// Adds what the machine is.
fn describe(facts: &mut Facts, clock: Option<(u64, u64)>) {
    if let Ok(here) = nix::sys::utsname::uname() {
        let text = |text: &std::ffi::OsStr| text.to_str().map(str::to_owned);
        facts.hostname = text(here.nodename());
        facts.os_release = text(here.release());
        facts.arch = text(here.machine());
    }
    facts.clock = clock;
    facts.clock_id = Some(attr::CLOCK_MONOTONIC);
}
