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

mod life;
mod process;

use std::collections::HashMap;

use backsight_types::trace::{CapturedAddrs, KERNEL_PID, Mmap, ProcessChange, ProcessRecord};
use backsight_types::{AbsRange, FileOffset, ModuleIdx, Outcome, Reason};
use rayon::prelude::*;

use life::{KernelLife, Life, Lived, Step};
use process::TracedProcess;

use crate::address_space::{AddressSpace, Mapped};
use crate::image::NormalizedModule;
use crate::options::Trust;
use crate::trace_modules::TraceModules;
use crate::vma_cache::VmaCache;

/// What a trace came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The modules of all processes, each once, in the order of the records.
    pub modules: Vec<NormalizedModule>,
    /// For each sample, in the caller's order, one outcome for each address.
    pub outcomes: Vec<Vec<Outcome>>,
}

/// Normalizes all samples against the mappings of their time, as [`Replay::feed`] does.
#[must_use]
pub fn replay(records: &[ProcessRecord], samples: &[CapturedAddrs]) -> Replayed {
    let mut replay = Replay::new();
    let outcomes = replay.feed(records, samples);
    Replayed {
        modules: replay.into_modules(),
        outcomes,
    }
}

/// A trace that is replayed piece by piece: what is kept is what processes have mapped
/// now, however long the trace is.
#[derive(Debug)]
pub struct Replay {
    modules: TraceModules,
    processes: HashMap<u32, TracedProcess>,
    /// How many mappings all processes have together, and how many they may have.
    mappings: usize,
    most: usize,
}

impl Default for Replay {
    fn default() -> Self {
        Self::holding(MAX_MAPPINGS)
    }
}

/// All processes together have no more mappings, of 80 bytes each. Forks multiply them:
/// without a limit a few megabytes of records could ask for any amount of memory.
const MAX_MAPPINGS: usize = 1 << 21;

/// Where executable memory of a process comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeMapping {
    /// The addresses.
    pub range: AbsRange,
    /// The byte of the file at the first of them.
    pub offset: FileOffset,
    /// The file; `None` for code that was made at run time.
    pub module: Option<ModuleIdx>,
}

impl Replay {
    /// Begins without any process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn holding(most: usize) -> Self {
        Self {
            modules: TraceModules::default(),
            processes: HashMap::new(),
            mappings: 0,
            most,
        }
    }

    /// Returns the modules so far, each once, in the order of the records.
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.as_slice()
    }

    /// Returns the module of a mapping that was fed; `None` for memory without a file.
    #[must_use]
    pub fn module_of(&self, mapping: &Mmap) -> Option<ModuleIdx> {
        self.modules.find(mapping)
    }

    /// Returns the modules of all pieces.
    #[must_use]
    pub fn into_modules(self) -> Vec<NormalizedModule> {
        self.modules.into_vec()
    }

    /// Walks over the executable memory that a process has mapped at the end of what was
    /// fed, by address. An unwinder needs it; samples need not ask.
    pub fn code_of(&self, pid: u32) -> impl Iterator<Item = CodeMapping> {
        let process = self.processes.get(&pid).into_iter();
        let mappings = process.flat_map(|process| process.space.iter());
        let code = mappings.filter(|mapped| mapped.vma.is_executable());
        code.map(|Mapped { vma, module }| CodeMapping {
            range: vma.range(),
            offset: vma.offset,
            module: *module,
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
    /// Of a process with which there would be more than 2^21 mappings nothing is kept
    /// until it execs, and its addresses are [`Reason::Limit`].
    pub fn feed(
        &mut self,
        records: &[ProcessRecord],
        samples: &[CapturedAddrs],
    ) -> Vec<Vec<Outcome>> {
        let mut lives: HashMap<u32, Life> = HashMap::new();
        let mut order: Vec<&ProcessRecord> = records.iter().collect();
        order.sort_by_key(|record| record.time_ns);
        for record in order {
            let mut step = self.step_of(record);
            let process = self.processes.entry(record.pid).or_default();
            let life = lives.entry(record.pid).or_insert_with(|| process.begin());
            let others = self.mappings.saturating_sub(process.space.len());
            step.apply(&mut process.space);
            if others.saturating_add(process.space.len()) > self.most {
                step = Step::Lose(Reason::Limit);
                step.apply(&mut process.space);
            }
            self.mappings = others.saturating_add(process.space.len());
            life.steps.push((record.time_ns, step));
        }
        for (place, sample) in samples.iter().enumerate() {
            let life = lives.entry(sample.pid).or_insert_with(|| {
                let process = self.processes.get_mut(&sample.pid);
                process.map(TracedProcess::begin).unwrap_or_default()
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
                process.lost = lived.lost;
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

    fn step_of(&mut self, record: &ProcessRecord) -> Step {
        match &record.change {
            ProcessChange::Mmap(mapping) => Step::Map(self.modules.mapped(record.pid, mapping)),
            ProcessChange::Munmap(range) => Step::Unmap(*range),
            ProcessChange::Mprotect(range, perms) => Step::Protect(*range, *perms),
            ProcessChange::Fork { parent } => {
                let parent = self.processes.get(parent);
                Step::Become(
                    parent
                        .map(|parent| parent.space.clone())
                        .unwrap_or_default(),
                )
            }
            ProcessChange::Exec => Step::Become(AddressSpace::default()),
            ProcessChange::Exit => Step::Lose(Reason::ProcessGone),
            // It did what this version does not know: nothing proves any more what is
            // mapped where.
            _ => Step::Lose(Reason::IdentityUnproven),
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

impl TracedProcess {
    /// Begins a piece. What is remembered goes with it, and comes back at its end.
    fn begin(&mut self) -> Life {
        Life {
            space: self.space.clone(),
            cache: std::mem::replace(&mut self.cache, VmaCache::new(Trust::UntilTold)),
            lost: self.lost,
            ..Life::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::trace::{CapturedAddrs, Mmap, ProcessChange, ProcessRecord};
    use backsight_types::{AbsAddr, AbsRange, Outcome, Perms, Reason};

    use super::Replay;

    fn map(time_ns: u64, pid: u32, page: u64) -> ProcessRecord {
        let start = AbsAddr(page << 12);
        let end = AbsAddr((page + 1) << 12);
        let change = ProcessChange::Mmap(Mmap {
            range: AbsRange { start, end },
            perms: Perms::READ | Perms::EXECUTE,
            name: b"/a".to_vec(),
            ..Mmap::default()
        });
        ProcessRecord {
            time_ns,
            pid,
            change,
        }
    }

    fn at(time_ns: u64, pid: u32, change: ProcessChange) -> ProcessRecord {
        ProcessRecord {
            time_ns,
            pid,
            change,
        }
    }

    #[test]
    fn forks_that_would_take_all_memory_are_not_followed() {
        let mut records: Vec<ProcessRecord> = (0..10).map(|page| map(0, 1, page)).collect();
        // Each has what its parent has, and one more.
        for child in 2..=4 {
            records.push(at(1, child, ProcessChange::Fork { parent: 1 }));
            records.push(map(2, child, 20));
        }
        records.push(map(3, 4, 21));
        let addrs = vec![AbsAddr(0x1000), AbsAddr(0x14_000), AbsAddr(u64::MAX)];
        let sample = |time_ns, pid| CapturedAddrs {
            time_ns,
            pid,
            addrs: addrs.clone(),
        };
        let mut replay = Replay::holding(35);
        let outcomes = replay.feed(&records, &[sample(4, 3), sample(4, 4)]);
        assert!(
            outcomes[0][..2]
                .iter()
                .all(|o| matches!(o, Outcome::Located { .. }))
        );
        let [limit, kernel] = [Reason::Limit, Reason::Kernel].map(Outcome::Unresolved);
        assert_eq!(outcomes[1], [limit, limit, kernel]);
        // It is followed again when it runs another program.
        let records = [at(5, 4, ProcessChange::Exec), map(6, 4, 1)];
        let outcomes = replay.feed(&records, &[sample(7, 4)]);
        let unmapped = Outcome::Unresolved(Reason::Unmapped);
        assert!(matches!(outcomes[0][0], Outcome::Located { .. }));
        assert_eq!(outcomes[0][1..], [unmapped, kernel]);
    }
}
