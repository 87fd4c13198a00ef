//! Samples a target, and returns what happens as events.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use backsight_formats::perf_data::{Problems, Reader};
use backsight_types::trace::{Event, Facts, ProcessChange};
use nix::errno::Errno;
use nix::libc::O_DIRECTORY;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use crate::attr::{self, flag};
use crate::cpus;
use crate::error::{SamplingError, errno};
use crate::existing::{self, ExistingProcesses};
use crate::kernel;
use crate::notes::SamplingNote;
use crate::opening::Opening;
use crate::options::{CallGraph, SamplingOptions, Target};
use crate::record;
use crate::record_stream::{RecordSource, RecordStream};
use crate::ring_set::RingSet;

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
    started: Instant,
    stopped: Option<Instant>,
}

/// The processes that are sampled and have not ended.
#[derive(Debug)]
enum LivingProcesses {
    /// There are always some.
    Everyone,
    Of(HashSet<u32>),
}

impl Sampler {
    /// Opens the events of a target, and starts sampling.
    ///
    /// # Errors
    /// If the target does not exist, this user may not sample it, or the kernel cannot.
    pub fn start(target: &Target, options: &SamplingOptions) -> Result<Self, SamplingError> {
        check(options)?;
        let page_size = page_size();
        let pages = options.buffer_pages.unwrap_or(match options.call_graph {
            CallGraph::FramePointers => 128,
            CallGraph::StackMemory { .. } => 1024,
        });
        let mut opening = Opening::new(options, RingSet::new(pages, page_size));
        let cpus = cpus::online();
        let mut existing = ExistingProcesses::default();
        let mut written = Vec::new();
        let living = match target {
            Target::Processes(pids) => LivingProcesses::Of(opening.processes(pids, &cpus)?),
            Target::Launched(pid) => {
                opening.launched(*pid, &cpus)?;
                LivingProcesses::Of(HashSet::from([*pid]))
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
            ..
        } = opening;
        record::file_header(&mut written);
        for (at, attr) in attrs.iter().enumerate() {
            record::event(&mut written, attr, &rings.ids(at)?);
        }
        if attrs.iter().any(|attr| !attr.has(flag::EXCLUDE_KERNEL)) && !kernel::write(&mut written)
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
        if let Target::Cgroup(path) = target {
            let members = existing::members(path);
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
        Ok(Self {
            reader,
            source,
            facts,
            notes,
            living,
            started: Instant::now(),
            stopped: None,
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
            take(event);
        }
    }

    /// Adds what is known now of processes that this user can see. For when records were lost, and
    /// with them mappings.
    pub fn look_again(&mut self) {
        let time_ns = now_ns();
        let pids = match &self.living {
            LivingProcesses::Everyone => existing::all_processes(),
            LivingProcesses::Of(pids) => pids.iter().copied().collect(),
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
            LivingProcesses::Of(pids) => !pids.iter().any(|pid| existing::is_alive(*pid)),
        }
    }

    /// Returns how long sampling has been going on, or went on until it was stopped.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let until = self.stopped.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.started)
    }

    /// Returns the bytes of all buffers, and the most that were in them at once.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        let source = self.source();
        (source.rings.size(), source.most_bytes)
    }

    /// Stops sampling, and passes the last events on.
    pub fn stop(&mut self, mut take: impl FnMut(Event<'_>)) {
        self.source().rings.disable();
        self.stopped.get_or_insert_with(Instant::now);
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

impl LivingProcesses {
    fn take(&mut self, event: &Event<'_>) {
        let (Self::Of(pids), Event::Process(record)) = (self, event) else {
            return;
        };
        match record.change {
            ProcessChange::Fork { .. } => drop(pids.insert(record.pid)),
            ProcessChange::Exit => drop(pids.remove(&record.pid)),
            _ => {}
        }
    }
}

/// Returns the processes of a target whose mappings are read.
fn present(target: &Target) -> Result<Vec<u32>, SamplingError> {
    match target {
        Target::Processes(pids) => Ok(pids.clone()),
        Target::Launched(pid) => Ok(vec![*pid]),
        // Threads of other cgroups never appear in samples; that their processes are known does
        // no harm, and a process may be moved into the cgroup later.
        Target::Everyone | Target::Cgroup(_) => Ok(existing::all_processes()),
    }
}

fn check(options: &SamplingOptions) -> Result<(), SamplingError> {
    if options.frequency == 0 {
        return Err(SamplingError::Option(
            "at least one sample a second is needed",
        ));
    }
    if options
        .buffer_pages
        .is_some_and(|pages| !pages.is_power_of_two())
    {
        return Err(SamplingError::Option(
            "the pages of a buffer must be a power of two",
        ));
    }
    if let CallGraph::StackMemory { bytes } = options.call_graph
        && (bytes == 0 || bytes > 65_528 || bytes % 8 != 0)
    {
        let reason = "the bytes of a stack must be a multiple of 8, from 8 to 65528";
        return Err(SamplingError::Option(reason));
    }
    Ok(())
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

/// Returns the same time since 1970, and on the clock of the records.
fn clock_pair() -> Option<(u64, u64)> {
    let now = now_ns();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some((u64::try_from(wall.as_nanos()).ok()?, now))
}

/// Returns the time on the clock of the records.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    let now = now.unwrap_or_default().as_nanos();
    u64::try_from(now).unwrap_or(u64::MAX)
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
