//! Normalizes the addresses of captured traces, whose mappings change over time.
//!
//! A trace records mmap, munmap, fork, exec and exit of processes, and samples of their
//! stacks, each with its time. An address of a sample refers to the mappings of that
//! time:
//!
//! ```text
//!   time ──▶   mmap libfoo      sample      munmap, mmap libbar      sample
//!                               0x7f10 = libfoo+0x10                 0x7f10 = libbar+0x10
//! ```
//!
//! A trace may be larger than memory, so it is fed in pieces. For each piece, first all
//! records are applied in order of time, and each fork gets a copy of its parent's
//! mappings. Copies share their mappings until one changes, so this costs little more
//! than reading the records. After that the processes do not depend on each other, and
//! are replayed in parallel (feature `rayon`) with the same inner loop as live processes. Kernel addresses
//! are resolved last, as they are common to all processes.
//!
//! No files are opened: modules have only what the records say.

mod gone;
mod moved_text;
mod piece;
mod process;
mod retention;

use std::collections::HashMap;

use backsight_types::trace::{CapturedAddrs, KERNEL_PID, Mmap, ProcessChange, ProcessRecord};
use backsight_types::{AbsRange, FileOffset, ModuleIdx, Outcome, Reason};
#[cfg(feature = "rayon")]
use rayon::prelude::*;

use gone::GoneProcesses;
use piece::{KernelPiece, PieceResult, ProcessPiece, Step};
use process::TracedProcess;

use crate::address_space::{AddressSpace, Mapped};
use crate::image::NormalizedModule;
use crate::options::Trust;
use crate::trace_modules::TraceModules;
use crate::vma_cache::VmaCache;

/// The result of a replayed trace.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The modules of all processes, each once, in the order of the records.
    pub modules: Vec<NormalizedModule>,
    /// For each sample, in the caller's order, one outcome for each address.
    pub outcomes: Vec<Vec<Outcome>>,
}

/// Normalizes all samples with the mappings of their time, as [`Replay::feed`] does.
#[must_use]
pub fn replay(records: &[ProcessRecord], samples: &[CapturedAddrs]) -> Replayed {
    let mut replay = Replay::new();
    let outcomes = replay.feed(records, samples);
    Replayed {
        modules: replay.into_modules(),
        outcomes,
    }
}

/// Replays a trace in pieces. Between pieces, only the current mappings of the processes
/// are kept, however long the trace is.
#[derive(Debug)]
pub struct Replay {
    modules: TraceModules,
    processes: HashMap<u32, TracedProcess>,
    gone: GoneProcesses,
    /// The processes whose caches are kept from the last piece to the next.
    cached: Vec<u32>,
    /// The number of mappings of all processes, and its limit.
    mappings: usize,
    max_mappings: usize,
}

impl Default for Replay {
    fn default() -> Self {
        Self::with_max_mappings(MAX_MAPPINGS)
    }
}

/// The maximum number of mappings of all processes, 80 bytes each. Forks multiply
/// mappings, so without a limit a few megabytes of records could take any amount of
/// memory.
const MAX_MAPPINGS: usize = 1 << 21;

/// A process with fewer samples in a piece starts the next one with an empty cache: that is filled
/// again as fast as it is read from memory, and takes up to a megabyte. Of a machine, hundreds of
/// processes have few samples, and a thousand have ended and may be sampled once more.
const CACHED_MIN_SAMPLES: usize = 512;

/// With fewer samples, one thread is done before another is awake, and an embedder's process gets
/// no thread pool for them.
const PARALLEL_MIN_SAMPLES: usize = 512;

/// An executable mapping of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeMapping {
    /// The range of addresses.
    pub range: AbsRange,
    /// The offset in the file of the first address.
    pub offset: FileOffset,
    /// The module of the file; `None` for code that was generated at run time.
    pub module: Option<ModuleIdx>,
}

impl Replay {
    /// Returns a replay without any process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with_max_mappings(max_mappings: usize) -> Self {
        Self {
            modules: TraceModules::default(),
            processes: HashMap::new(),
            gone: GoneProcesses::default(),
            cached: Vec::new(),
            mappings: 0,
            max_mappings,
        }
    }

    /// Returns the modules so far, each once, in the order of the records.
    #[must_use]
    pub fn modules(&self) -> &[NormalizedModule] {
        self.modules.as_slice()
    }

    /// Returns the module of a mapping from a record that was fed; `None` for memory
    /// without a file.
    #[must_use]
    pub fn module_of(&self, mapping: &Mmap) -> Option<ModuleIdx> {
        self.modules.find(mapping)
    }

    /// Returns the modules of all pieces.
    #[must_use]
    pub fn into_modules(self) -> Vec<NormalizedModule> {
        self.modules.into_vec()
    }

    /// Returns the executable mappings of a process after the last piece, in order of
    /// address. For unwinders; normalizing samples does not need it.
    pub fn code_of(&self, pid: u32) -> impl Iterator<Item = CodeMapping> {
        let process = self.processes.get(&pid).into_iter();
        let mappings = process.flat_map(|process| process.space.iter());
        let code = mappings.filter(|mapped| mapped.vma.is_executable());
        code.map(|Mapped { vma, module, .. }| CodeMapping {
            range: vma.range(),
            offset: vma.offset,
            module: *module,
        })
    }

    /// Processes the next piece of a trace, and normalizes its samples with the mappings
    /// of their time. Returns for each sample, in the caller's order, one outcome for
    /// each address.
    ///
    /// Within a piece, neither records nor samples need to be in order of time. If times
    /// are equal, records come before samples, and records keep their order. Each piece
    /// counts as later than the one before, whatever its times are.
    ///
    /// An address of a process that has exited is [`Reason::ProcessGone`], as long as it is among
    /// the last 8,192 that have; one of a process without records is [`Reason::Unmapped`]. An address in the kernel half is
    /// looked up in the mappings of [`KERNEL_PID`], whose offsets count from the start of
    /// each mapping; if there is none, it is [`Reason::Kernel`]. If a record would exceed
    /// 2^21 mappings in total, the mappings of its process are dropped until it calls
    /// exec, and its addresses are [`Reason::Limit`].
    pub fn feed(
        &mut self,
        records: &[ProcessRecord],
        samples: &[CapturedAddrs],
    ) -> Vec<Vec<Outcome>> {
        let mut pieces: HashMap<u32, ProcessPiece> = HashMap::new();
        let mut order: Vec<&ProcessRecord> = records.iter().collect();
        order.sort_by_key(|record| record.time_ns);
        for record in order {
            let mut step = self.step_of(record);
            let gone = &mut self.gone;
            let begin = || TracedProcess {
                lost: gone.remove(record.pid).then_some(Reason::ProcessGone),
                ..TracedProcess::default()
            };
            let process = self.processes.entry(record.pid).or_insert_with(begin);
            let piece = pieces.entry(record.pid).or_insert_with(|| process.begin());
            let others = self.mappings.saturating_sub(process.space.len());
            step.apply(&mut process.space);
            let inferred = moved_text::steps(record, &process.space, &mut self.modules);
            inferred.iter().for_each(|it| it.apply(&mut process.space));
            if others.saturating_add(process.space.len()) > self.max_mappings {
                step = Step::Lose(Reason::Limit);
                step.apply(&mut process.space);
            }
            self.mappings = others.saturating_add(process.space.len());
            piece.steps.push((record.time_ns, step));
            let inferred = inferred.into_iter();
            (piece.steps).extend(inferred.map(|step| (record.time_ns, step)));
        }
        for (place, sample) in samples.iter().enumerate() {
            let piece = pieces.entry(sample.pid).or_insert_with(|| {
                let process = self.processes.get_mut(&sample.pid);
                let is_gone = self.gone.contains(sample.pid);
                process.map_or_else(
                    || ProcessPiece {
                        lost: is_gone.then_some(Reason::ProcessGone),
                        ..ProcessPiece::default()
                    },
                    TracedProcess::begin,
                )
            });
            piece.samples.push((sample.time_ns, place));
        }
        let kernel = pieces.get(&KERNEL_PID).map(|piece| piece.for_kernel());
        let kernel = kernel.unwrap_or_else(|| self.kernel_without_records());
        let mut pieces: Vec<(u32, ProcessPiece)> = pieces.into_iter().collect();
        // Longest first, so that no thread runs the longest one alone at the end.
        pieces.sort_by_key(|(_, piece)| std::cmp::Reverse(piece.samples.len()));
        let replay = |(pid, piece): (u32, ProcessPiece)| (pid, piece.replay(samples));
        let is_small = pieces.len() < 2 || samples.len() < PARALLEL_MIN_SAMPLES;
        let done: Vec<(u32, PieceResult)> = match is_small {
            #[cfg(feature = "rayon")]
            false => pieces.into_par_iter().map(replay).collect(),
            _ => pieces.into_iter().map(replay).collect(),
        };
        let mut outcomes = Vec::new();
        outcomes.resize_with(samples.len(), Vec::new);
        for pid in std::mem::take(&mut self.cached) {
            if let Some(process) = self.processes.get_mut(&pid) {
                process.cache = VmaCache::new(Trust::UntilInvalidated);
            }
        }
        let mut in_kernel = Vec::new();
        for (pid, result) in done {
            // A process without records has no state to keep.
            if let Some(process) = self.processes.get_mut(&pid) {
                if result.outcomes.len() >= CACHED_MIN_SAMPLES {
                    process.cache = result.cache;
                    self.cached.push(pid);
                }
                process.lost = result.lost;
                if process.lost == Some(Reason::ProcessGone) {
                    self.processes.remove(&pid);
                    self.gone.insert(pid);
                }
            }
            in_kernel.extend(result.in_kernel);
            for (place, found) in result.outcomes {
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
            // A change of a kind that this version does not know: the mappings are
            // uncertain from now on.
            _ => Step::Lose(Reason::IdentityUnproven),
        }
    }

    fn kernel_without_records(&self) -> KernelPiece {
        let kernel = self.processes.get(&KERNEL_PID);
        KernelPiece {
            space: kernel
                .map(|kernel| kernel.space.clone())
                .unwrap_or_default(),
            steps: Vec::new(),
        }
    }
}

impl TracedProcess {
    /// Starts a piece. The cache is moved into it, and is moved back at its end.
    fn begin(&mut self) -> ProcessPiece {
        ProcessPiece {
            space: self.space.clone(),
            cache: std::mem::replace(&mut self.cache, VmaCache::new(Trust::UntilInvalidated)),
            lost: self.lost,
            ..ProcessPiece::default()
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
    fn an_ended_process_is_forgotten_but_its_end_is_known() {
        let sample = |time_ns, pid| CapturedAddrs {
            time_ns,
            pid,
            addrs: vec![AbsAddr(0x1000)],
        };
        let mut replay = Replay::new();
        let gone = Outcome::Unresolved(Reason::ProcessGone);
        for pid in 1..=100 {
            let records = [map(0, pid, 1), at(2, pid, ProcessChange::Exit)];
            let outcomes = replay.feed(&records, &[sample(1, pid), sample(3, pid)]);
            assert!(matches!(outcomes[0][0], Outcome::Located { .. }));
            assert_eq!(outcomes[1], [gone]);
        }
        assert_eq!((replay.processes.len(), replay.gone.len()), (0, 100));
        // Another process gets the number.
        let records = [map(5, 7, 1)];
        let outcomes = replay.feed(&records, &[sample(4, 7), sample(6, 7), sample(6, 8)]);
        assert_eq!(outcomes[0], [gone]);
        assert!(matches!(outcomes[1][0], Outcome::Located { .. }));
        assert_eq!(outcomes[2], [gone]);
        assert_eq!((replay.processes.len(), replay.gone.len()), (1, 99));
    }

    #[test]
    fn forks_that_would_take_all_memory_are_not_followed() {
        let mut records: Vec<ProcessRecord> = (0..10).map(|page| map(0, 1, page)).collect();
        // Each process has its parent's mappings and one more.
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
        let mut replay = Replay::with_max_mappings(35);
        let outcomes = replay.feed(&records, &[sample(4, 3), sample(4, 4)]);
        assert!(
            outcomes[0][..2]
                .iter()
                .all(|o| matches!(o, Outcome::Located { .. }))
        );
        let [limit, kernel] = [Reason::Limit, Reason::Kernel].map(Outcome::Unresolved);
        assert_eq!(outcomes[1], [limit, limit, kernel]);
        // After exec, its mappings are kept again.
        let records = [at(5, 4, ProcessChange::Exec), map(6, 4, 1)];
        let outcomes = replay.feed(&records, &[sample(7, 4)]);
        let unmapped = Outcome::Unresolved(Reason::Unmapped);
        assert!(matches!(outcomes[0][0], Outcome::Located { .. }));
        assert_eq!(outcomes[0][1..], [unmapped, kernel]);
    }
}
