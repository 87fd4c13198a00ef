//! Opens the events of a target, with as much as the kernel and this user's rights give.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;

use crate::attr::{Counted, EventAttr, flag, sample};
use crate::error::{SamplingError, errno};
use crate::existing;
use crate::notes::SamplingNote;
use crate::options::{CallGraph, SamplingOptions};
use crate::ring_set::RingSet;
use crate::sys::{EventFd, Whom};
use crate::sysctl::{max_sample_rate, may_sample, paranoid};

/// The events so far.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) rings: RingSet,
    /// The samples of running threads first; those of switches second, if any.
    pub(crate) attrs: Vec<EventAttr>,
    pub(crate) notes: Vec<SamplingNote>,
    /// Whether records alone say when threads stop running.
    pub(crate) has_last_stacks: bool,
    frequency: u64,
    /// Whether the attributes have been tried: then they are used as they are.
    is_settled: bool,
}

/// The registers that unwinding needs, by the numbers of `asm/perf_regs.h`.
const USER_REGS: u64 = if cfg!(target_arch = "x86_64") {
    // Without the segment registers, which cannot be recorded.
    0xff_01ff
} else if cfg!(target_arch = "aarch64") {
    (1 << 33) - 1
} else {
    0
};

impl Opening {
    pub(crate) fn new(options: &SamplingOptions, rings: RingSet) -> Self {
        use sample::{CALLCHAIN, CPU, IDENTIFIER, IP, PERIOD, REGS_USER, STACK_USER, TID, TIME};
        let mut sample_type = IDENTIFIER | IP | TID | TIME | CALLCHAIN | CPU | PERIOD;
        let mut flags = flag::DISABLED
            | flag::EXCLUDE_HV
            | flag::EXCLUDE_IDLE
            | flag::EXCLUDE_GUEST
            | flag::WATERMARK
            | flag::SAMPLE_ID_ALL
            | flag::USE_CLOCKID;
        let mut stack_bytes = 0;
        if let CallGraph::StackMemory { bytes } = options.call_graph {
            sample_type |= REGS_USER | STACK_USER;
            flags |= flag::EXCLUDE_CALLCHAIN_USER;
            stack_bytes = bytes;
        }
        if !options.kernel {
            flags |= flag::EXCLUDE_KERNEL;
        }
        /// A quarter of the smallest buffer that is usual.
        const WAKEUP: u32 = 128 << 10;
        let counted = match options.hardware {
            true => Counted::Cycles,
            false => Counted::CpuClock,
        };
        let running = EventAttr {
            counted,
            period: options.frequency,
            sample_type,
            flags: flags
                | flag::FREQ
                | flag::MMAP
                | flag::MMAP2
                | flag::COMM
                | flag::COMM_EXEC
                | flag::TASK
                | flag::BUILD_ID
                | flag::KSYMBOL,
            wakeup_bytes: WAKEUP,
            user_regs: if stack_bytes > 0 { USER_REGS } else { 0 },
            stack_bytes,
        };
        let mut attrs = vec![running];
        if options.off_cpu {
            // Switches happen in the kernel: without it, their stacks have no part of the kernel.
            let flags = match options.kernel {
                true => flags,
                false => flags & !flag::EXCLUDE_KERNEL | flag::EXCLUDE_CALLCHAIN_KERNEL,
            };
            attrs.push(EventAttr {
                counted: Counted::Switches,
                period: 1,
                flags: flags | flag::CONTEXT_SWITCH,
                ..running
            });
        }
        Self {
            rings,
            attrs,
            notes: Vec::new(),
            has_last_stacks: false,
            frequency: options.frequency,
            is_settled: false,
        }
    }

    /// Opens the events of processes, and returns those that are there. One that is gone is noted.
    pub(crate) fn processes(
        &mut self,
        pids: &[u32],
        cpus: &[u32],
    ) -> Result<HashSet<u32>, SamplingError> {
        let (mut found, mut gone) = (HashSet::new(), Vec::new());
        for pid in pids.iter().copied().collect::<BTreeSet<u32>>() {
            match self.process(pid, cpus) {
                Ok(()) => drop(found.insert(pid)),
                Err(SamplingError::NoSuchProcess { pid }) => gone.push(pid),
                Err(error) => return Err(error),
            }
        }
        if let (true, Some(pid)) = (found.is_empty(), gone.first().copied()) {
            return Err(SamplingError::NoSuchProcess { pid });
        }
        let gone = gone
            .into_iter()
            .map(|pid| SamplingNote::ProcessGone { pid });
        self.notes.extend(gone);
        Ok(found)
    }

    /// Opens the events of all threads of a process. They are inherited by what those start.
    pub(crate) fn process(&mut self, pid: u32, cpus: &[u32]) -> Result<(), SamplingError> {
        self.inherit();
        let mut known = HashSet::new();
        // Threads that start meanwhile are listed by the next turn, or inherit the events.
        loop {
            let threads = existing::threads_of(pid);
            if threads.is_empty() && known.is_empty() {
                return Err(SamplingError::NoSuchProcess { pid });
            }
            let count = threads.len();
            let new: Vec<u32> = threads
                .into_iter()
                .filter(|tid| known.insert(*tid))
                .collect();
            if new.is_empty() {
                return Ok(());
            }
            for tid in new {
                let shown = || format!("process {pid}");
                match self.all_cpus(Whom::Thread(tid), cpus, &shown) {
                    // It has ended.
                    Err(Refusal::Gone) if tid != pid => {}
                    Err(Refusal::Gone) if existing::threads_of(pid).is_empty() => {
                        return Err(SamplingError::NoSuchProcess { pid });
                    }
                    // The main thread has ended before the others.
                    Err(Refusal::Gone) => {}
                    // Without a descriptor, they cannot be listed again.
                    Err(Refusal::Error(SamplingError::TooManyFiles { events, .. })) => {
                        let each = cpus.len().saturating_mul(self.attrs.len());
                        return Err(SamplingError::TooManyFiles {
                            events,
                            threads: count,
                            needed: count.saturating_mul(each),
                        });
                    }
                    Err(Refusal::Error(error)) => return Err(error),
                    Ok(()) => {}
                }
            }
        }
    }

    /// Opens the events of a process that is going to call `execve`.
    pub(crate) fn launched(&mut self, pid: u32, cpus: &[u32]) -> Result<(), SamplingError> {
        for attr in &mut self.attrs {
            *attr = attr.with(flag::ENABLE_ON_EXEC);
        }
        self.process(pid, cpus)
    }

    /// Opens the events of all processors.
    pub(crate) fn everyone(&mut self, cpus: &[u32]) -> Result<(), SamplingError> {
        let shown = || "the whole machine".to_owned();
        let opened = self.all_cpus(Whom::Everyone, cpus, &shown);
        opened.map_err(|refusal| refusal.of_nobody("open the events of the machine"))
    }

    /// Opens the events of a cgroup.
    pub(crate) fn cgroup(
        &mut self,
        path: &Path,
        directory: BorrowedFd<'_>,
        cpus: &[u32],
    ) -> Result<(), SamplingError> {
        let shown = || format!("cgroup {}", path.display());
        let opened = self.all_cpus(Whom::Cgroup(directory), cpus, &shown);
        opened.map_err(|refusal| match refusal {
            Refusal::Error(SamplingError::Io { error, .. })
                if matches!(
                    errno(&error),
                    Some(Errno::EBADF | Errno::EINVAL | Errno::ENOENT)
                ) =>
            {
                let path = path.to_owned();
                SamplingError::NoCgroup { path }
            }
            refusal => refusal.of_nobody("open the events of the cgroup"),
        })
    }

    fn inherit(&mut self) {
        for attr in &mut self.attrs {
            *attr = attr.with(flag::INHERIT);
        }
    }

    /// Opens each event on each processor.
    fn all_cpus(
        &mut self,
        whom: Whom<'_>,
        cpus: &[u32],
        shown: &dyn Fn() -> String,
    ) -> Result<(), Refusal> {
        for cpu in cpus {
            self.try_switches(whom, *cpu);
            let mut at = 0;
            while let Some(attr) = self.attrs.get(at).copied() {
                match self.rings.open(&attr, at, whom, *cpu) {
                    Ok(()) => at = at.saturating_add(1),
                    // The processor was taken offline.
                    Err(error) if errno(&error) == Some(Errno::ENODEV) => break,
                    Err(error) => match self.with_less(at, &error) {
                        true => {}
                        false => return Err(self.refusal(error, shown)),
                    },
                }
            }
            self.is_settled = true;
        }
        Ok(())
    }

    /// Drops what the kernel or this user's rights may not give, if there is anything, so that the
    /// event can be tried again.
    fn with_less(&mut self, at: usize, error: &io::Error) -> bool {
        if self.is_settled {
            return false;
        }
        let (Some(errno), Some(attr)) = (errno(error), self.attrs.get(at).copied()) else {
            return false;
        };
        let less = match errno {
            Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENOSYS
                if attr.counted == Counted::Cycles =>
            {
                self.notes.push(SamplingNote::NoHardwareCounter);
                let counted = Counted::CpuClock;
                Some(EventAttr { counted, ..attr })
            }
            Errno::EACCES | Errno::EPERM if !attr.has(flag::EXCLUDE_KERNEL) => {
                self.without_kernel();
                return true;
            }
            // A kernel that does not know a flag.
            Errno::EINVAL | Errno::E2BIG if attr.has(flag::KSYMBOL) => {
                Some(attr.without(flag::KSYMBOL))
            }
            Errno::EINVAL | Errno::E2BIG if attr.has(flag::BUILD_ID) => {
                self.notes.push(SamplingNote::NoBuildIds);
                Some(attr.without(flag::BUILD_ID))
            }
            _ => None,
        };
        let Some((less, slot)) = less.zip(self.attrs.get_mut(at)) else {
            return false;
        };
        *slot = less;
        true
    }

    /// Without the kernel, the event of switches is refused after another has been opened. So it
    /// is tried first.
    fn try_switches(&mut self, whom: Whom<'_>, cpu: u32) {
        let [running, switches] = &*self.attrs else {
            return;
        };
        let is_apart = running.has(flag::EXCLUDE_KERNEL) && !switches.has(flag::EXCLUDE_KERNEL);
        if self.is_settled || !is_apart {
            return;
        }
        let tried = EventFd::open(switches, whom, cpu);
        let refused = tried.err().as_ref().and_then(errno);
        if matches!(refused, Some(Errno::EACCES | Errno::EPERM)) {
            self.without_kernel();
        }
    }

    /// Switches happen in the kernel, so they have no stacks: records say when they are.
    fn without_kernel(&mut self) {
        if self
            .attrs
            .first()
            .is_some_and(|it| !it.has(flag::EXCLUDE_KERNEL))
        {
            self.notes.push(SamplingNote::KernelLeftOut);
        }
        let mut added = flag::EXCLUDE_KERNEL;
        if self.attrs.len() > 1 {
            self.attrs.truncate(1);
            self.has_last_stacks = true;
            self.notes.push(SamplingNote::SwitchesWithoutStacks);
            added |= flag::CONTEXT_SWITCH;
        }
        for attr in &mut self.attrs {
            *attr = attr.with(added);
        }
    }

    fn refusal(&self, error: io::Error, shown: &dyn Fn() -> String) -> Refusal {
        let (events, processors) = self.rings.counts();
        Refusal::Error(match errno(&error) {
            Some(Errno::ESRCH) => return Refusal::Gone,
            Some(Errno::EACCES | Errno::EPERM) if may_sample() => {
                SamplingError::Forbidden { whom: shown() }
            }
            Some(Errno::EACCES | Errno::EPERM) => SamplingError::Denied {
                whom: shown(),
                paranoid: paranoid(),
            },
            Some(Errno::ENOSYS) => SamplingError::Unsupported,
            Some(Errno::EMFILE | Errno::ENFILE) => SamplingError::TooManyFiles {
                events,
                threads: events.checked_div(processors).unwrap_or_default(),
                needed: events.saturating_add(1),
            },
            Some(Errno::EINVAL) if self.frequency > max_sample_rate() => SamplingError::TooFast {
                frequency: self.frequency,
                limit: max_sample_rate(),
            },
            _ => SamplingError::io("open a perf event")(error),
        })
    }
}

/// Why an event was not opened.
enum Refusal {
    /// The thread has ended.
    Gone,
    Error(SamplingError),
}

impl Refusal {
    /// Of a target that is no thread.
    fn of_nobody(self, operation: &'static str) -> SamplingError {
        match self {
            Self::Gone => SamplingError::io(operation)(Errno::ESRCH.into()),
            Self::Error(error) => error,
        }
    }
}
