//! Captured traces: addresses against mappings that change over time.
//!
//! A trace tells what processes mapped, unmapped and became, and what their stacks
//! were, each at its time. A mapping belongs to the time of the sample:
//!
//! ```text
//!   time ──▶   mmap libfoo      sample      munmap, mmap libbar      sample
//!                               0x7f10 = libfoo+0x10                 0x7f10 = libbar+0x10
//! ```
//!
//! A trace may be larger than memory, so it is fed piece by piece. In each piece
//! first, in order of time, each fork takes a copy of its parent's mappings; that
//! costs as much as the records alone, and what both never change they share. Then
//! every process is on its own, and all are replayed in parallel by the inner loop that
//! live processes use. Last come the kernel's addresses, which are one for all.
//!
//! Nothing is opened here: a module is what its records say it is.

use std::collections::HashMap;

use backsight_types::trace::{Change, KERNEL_PID, Mapping, Record, Sample};
use backsight_types::{AbsAddr, AbsRange, FileOffset, ModuleIdx, Outcome, Perms, Reason};
use rayon::prelude::*;

use crate::address_space::{AddressSpace, Mapped};
use crate::batch::Pass;
use crate::image::NormalizedModule;
use crate::options::Trust;
use crate::span::KERNEL;
use crate::trace_modules::TraceModules;
use crate::vma_cache::VmaCache;

/// What a trace came to.
#[derive(Debug)]
pub struct Replayed {
    /// The modules of all processes, each once, in the order of the records.
    pub modules: Vec<NormalizedModule>,
    /// For each sample, in the caller's order, one outcome for each address.
    pub outcomes: Vec<Vec<Outcome>>,
}

/// Normalizes all samples against the mappings of their time, as [`Replay::feed`] does.
#[must_use]
pub fn replay(records: &[Record], samples: &[Sample]) -> Replayed {
    let mut replay = Replay::new();
    let outcomes = replay.feed(records, samples);
    Replayed {
        modules: replay.into_modules(),
        outcomes,
    }
}

/// A trace that is replayed piece by piece: what is kept is what processes have mapped
/// now, however long the trace is.
#[derive(Debug, Default)]
pub struct Replay {
    modules: TraceModules,
    processes: HashMap<u32, Process>,
}

/// Where executable memory of a process comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeMapping {
    /// The addresses.
    pub range: AbsRange,
    /// The byte of the file at the first of them.
    pub offset: FileOffset,
    /// The file.
    pub module: ModuleIdx,
}

/// A process ID, as the last piece left it.
#[derive(Debug)]
struct Process {
    space: AddressSpace,
    cache: VmaCache,
    gone: bool,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            space: AddressSpace::default(),
            cache: VmaCache::new(Trust::UntilTold),
            gone: false,
        }
    }
}

impl Replay {
    /// Begins without any process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the modules so far, each once, in the order of the records.
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.as_slice()
    }

    /// Returns the module of a mapping that was fed; `None` for memory without a file.
    #[must_use]
    pub fn module_of(&self, mapping: &Mapping) -> Option<ModuleIdx> {
        self.modules.find(mapping)
    }

    /// Returns the modules of all pieces.
    #[must_use]
    pub fn into_modules(self) -> Vec<NormalizedModule> {
        self.modules.into_vec()
    }

    /// Walks over the code that a process has mapped from files at the end of what was
    /// fed, by address. An unwinder needs it; samples need not ask.
    pub fn code_of(&self, pid: u32) -> impl Iterator<Item = CodeMapping> {
        let process = self.processes.get(&pid);
        let mappings = process.map(|process| process.space.as_slice());
        let mappings = mappings.unwrap_or_default().iter();
        mappings.filter_map(|Mapped { vma, module }| {
            Some(CodeMapping {
                range: vma.range(),
                offset: vma.offset,
                module: (*module).filter(|_| vma.is_executable())?,
            })
        })
    }

    /// Takes the next piece of a trace, and normalizes its samples against the mappings
    /// of their time. Returns for each sample, in the caller's order, one outcome for
    /// each address.
    ///
    /// Within a piece neither records nor samples need be in order of time. Where times
    /// are equal, a record goes before a sample, and records keep the order they are
    /// given in. Whatever its time, a piece comes behind the one before.
    ///
    /// An address of a process that has exited is [`Reason::ProcessGone`]; one of a
    /// process that the records do not know is [`Reason::Unmapped`]. One in the kernel's
    /// half is looked up in what is mapped under [`KERNEL_PID`], whose offsets count
    /// from the start of each mapping; where that has nothing, it is [`Reason::Kernel`].
    pub fn feed(&mut self, records: &[Record], samples: &[Sample]) -> Vec<Vec<Outcome>> {
        let mut lives: HashMap<u32, Life> = HashMap::new();
        let mut order: Vec<&Record> = records.iter().collect();
        order.sort_by_key(|record| record.time_ns);
        for record in order {
            let step = self.step_of(record);
            let process = self.processes.entry(record.pid).or_default();
            let life = lives.entry(record.pid).or_insert_with(|| process.begin());
            step.apply(&mut process.space);
            life.steps.push((record.time_ns, step));
        }
        for (place, sample) in samples.iter().enumerate() {
            let life = lives.entry(sample.pid).or_insert_with(|| {
                let process = self.processes.get_mut(&sample.pid);
                process.map(Process::begin).unwrap_or_default()
            });
            life.samples.push((sample.time_ns, place));
        }
        let kernel = lives.get(&KERNEL_PID).map(|life| life.for_kernel());
        let kernel = kernel.unwrap_or_else(|| self.kernel_at_rest());
        let mut lives: Vec<(u32, Life)> = lives.into_iter().collect();
        // The longest first, so that no thread is left with it at the end.
        lives.sort_by_key(|(_, life)| std::cmp::Reverse(life.samples.len()));
        let done: Vec<(u32, Lived)> = lives
            .into_par_iter()
            .map(|(pid, life)| (pid, life.replay(samples)))
            .collect();
        let mut outcomes = Vec::new();
        outcomes.resize_with(samples.len(), Vec::new);
        let mut in_kernel = Vec::new();
        for (pid, lived) in done {
            // A process without records has nothing to be remembered.
            if let Some(process) = self.processes.get_mut(&pid) {
                process.cache = lived.cache;
                process.gone = lived.gone;
            }
            in_kernel.extend(lived.in_kernel);
            for (place, found) in lived.outcomes {
                if let Some(outcomes) = outcomes.get_mut(place) {
                    *outcomes = found;
                }
            }
        }
        kernel.resolve(in_kernel, samples, &mut outcomes);
        outcomes
    }

    fn step_of(&mut self, record: &Record) -> Step {
        match &record.change {
            Change::Mmap(mapping) => Step::Map(self.modules.mapped(record.pid, mapping)),
            Change::Munmap(range) => Step::Unmap(*range),
            Change::Mprotect(range, perms) => Step::Protect(*range, *perms),
            Change::Fork { parent } => {
                let parent = self.processes.get(parent);
                Step::Become(
                    parent
                        .map(|parent| parent.space.clone())
                        .unwrap_or_default(),
                )
            }
            Change::Exec => Step::Become(AddressSpace::default()),
            Change::Exit => Step::Exit,
        }
    }

    fn kernel_at_rest(&self) -> KernelLife {
        let kernel = self.processes.get(&KERNEL_PID);
        KernelLife {
            space: kernel
                .map(|kernel| kernel.space.clone())
                .unwrap_or_default(),
            steps: Vec::new(),
        }
    }
}

impl Process {
    /// Begins a piece. What is remembered goes with it, and comes back at its end.
    fn begin(&mut self) -> Life {
        Life {
            space: self.space.clone(),
            cache: std::mem::replace(&mut self.cache, VmaCache::new(Trust::UntilTold)),
            gone: self.gone,
            ..Life::default()
        }
    }
}

/// A process ID within one piece.
#[derive(Debug)]
struct Life {
    /// As the piece before left it.
    space: AddressSpace,
    cache: VmaCache,
    gone: bool,
    /// In order of time.
    steps: Vec<(u64, Step)>,
    /// The times and places of its samples.
    samples: Vec<(u64, usize)>,
}

impl Default for Life {
    fn default() -> Self {
        let Process { space, cache, gone } = Process::default();
        Self {
            space,
            cache,
            gone,
            steps: Vec::new(),
            samples: Vec::new(),
        }
    }
}

/// What became of a process in one piece.
struct Lived {
    /// Of its samples, each with the sample's place.
    outcomes: Vec<(usize, Vec<Outcome>)>,
    /// The times and places of samples with addresses in the kernel's half.
    in_kernel: Vec<(u64, usize)>,
    cache: VmaCache,
    gone: bool,
}

/// What a process does by itself: forks have their parent's mappings already.
#[derive(Clone, Debug)]
enum Step {
    Map(Mapped),
    Unmap(AbsRange),
    Protect(AbsRange, Perms),
    Become(AddressSpace),
    Exit,
}

impl Step {
    fn apply(&self, space: &mut AddressSpace) {
        match self {
            Self::Map(mapped) => space.map(*mapped),
            Self::Unmap(range) => space.unmap(*range),
            Self::Protect(range, perms) => space.protect(*range, *perms),
            Self::Become(other) => space.clone_from(other),
            Self::Exit => *space = AddressSpace::default(),
        }
    }

    /// Returns the addresses of which nothing remembered holds any more.
    fn touches(&self) -> AbsRange {
        match self {
            Self::Map(mapped) => mapped.vma.range(),
            Self::Unmap(range) | Self::Protect(range, _) => *range,
            Self::Become(_) | Self::Exit => AbsRange {
                start: AbsAddr(0),
                end: AbsAddr(u64::MAX),
            },
        }
    }
}

impl Life {
    fn replay(mut self, samples: &[Sample]) -> Lived {
        self.samples.sort_by_key(|(time_ns, _)| *time_ns);
        let mut outcomes = Vec::with_capacity(self.samples.len());
        let mut in_kernel = Vec::new();
        let mut open = Vec::new();
        let steps = std::mem::take(&mut self.steps);
        let mut steps = steps.iter().peekable();
        for (time_ns, place) in std::mem::take(&mut self.samples) {
            while let Some((_, step)) = steps.next_if(|(at, _)| *at <= time_ns) {
                self.take(step);
            }
            let Some(sample) = samples.get(place) else {
                continue;
            };
            let mut found = Vec::new();
            if self.gone {
                found.extend(sample.addrs.iter().map(|addr| match *addr >= KERNEL {
                    true => Outcome::Unresolved(Reason::Kernel),
                    false => Outcome::Unresolved(Reason::ProcessGone),
                }));
            } else {
                let pass = Pass {
                    ground: &self.space,
                    cache: &mut self.cache,
                    open: &mut open,
                };
                // A trace has no system call that could fail.
                let _: Result<(), vma_query::Error> = pass.run(&sample.addrs, &mut found);
            }
            if sample.addrs.iter().any(|addr| *addr >= KERNEL) {
                in_kernel.push((time_ns, place));
            }
            outcomes.push((place, found));
        }
        for (_, step) in steps {
            self.take(step);
        }
        Lived {
            outcomes,
            in_kernel,
            cache: self.cache,
            gone: self.gone,
        }
    }

    fn take(&mut self, step: &Step) {
        step.apply(&mut self.space);
        self.cache.remove(step.touches());
        self.gone = matches!(step, Step::Exit);
    }

    fn for_kernel(&self) -> KernelLife {
        KernelLife {
            space: self.space.clone(),
            steps: self.steps.clone(),
        }
    }
}

/// What the kernel has mapped in one piece.
struct KernelLife {
    space: AddressSpace,
    steps: Vec<(u64, Step)>,
}

impl KernelLife {
    /// Gives the addresses of the kernel's half their places.
    fn resolve(
        mut self,
        mut in_kernel: Vec<(u64, usize)>,
        samples: &[Sample],
        outcomes: &mut [Vec<Outcome>],
    ) {
        in_kernel.sort_by_key(|(time_ns, _)| *time_ns);
        let mut steps = self.steps.iter().peekable();
        for (time_ns, place) in in_kernel {
            while let Some((_, step)) = steps.next_if(|(at, _)| *at <= time_ns) {
                step.apply(&mut self.space);
            }
            let (Some(sample), Some(outcomes)) = (samples.get(place), outcomes.get_mut(place))
            else {
                continue;
            };
            for (addr, outcome) in sample.addrs.iter().zip(outcomes) {
                if *outcome == Outcome::Unresolved(Reason::Kernel)
                    && let Some(found) = self.space.outcome_at(*addr)
                {
                    *outcome = found;
                }
            }
        }
    }
}
