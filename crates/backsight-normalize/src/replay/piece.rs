//! The replay of one process, and of the kernel, within one piece of a trace.

use backsight_types::trace::CapturedAddrs;
use backsight_types::{AbsAddr, AbsRange, Outcome, Perms, Reason};

use super::process::TracedProcess;
use crate::address_space::{AddressSpace, Mapped};
use crate::batch::BatchRun;
use crate::span::KERNEL;
use crate::vma_cache::VmaCache;

/// The state, records and samples of one process ID within one piece.
#[derive(Debug)]
pub(super) struct ProcessPiece {
    /// The mappings after the piece before.
    pub(super) space: AddressSpace,
    pub(super) cache: VmaCache,
    pub(super) lost: Option<Reason>,
    /// The times and steps, in order of time.
    pub(super) steps: Vec<(u64, Step)>,
    /// The times of its samples and their indices in the caller's list.
    pub(super) samples: Vec<(u64, usize)>,
}

impl Default for ProcessPiece {
    fn default() -> Self {
        let TracedProcess { space, cache, lost } = TracedProcess::default();
        Self {
            space,
            cache,
            lost,
            steps: Vec::new(),
            samples: Vec::new(),
        }
    }
}

/// The result of one process for one piece.
pub(super) struct PieceResult {
    /// The outcomes of its samples, each with the index of the sample.
    pub(super) outcomes: Vec<(usize, Vec<Outcome>)>,
    /// The times and indices of samples with addresses in the kernel half.
    pub(super) in_kernel: Vec<(u64, usize)>,
    pub(super) cache: VmaCache,
    pub(super) lost: Option<Reason>,
}

/// A change of a process that does not depend on other processes: a fork contains the
/// mappings of the parent.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Map(Mapped),
    Unmap(AbsRange),
    Protect(AbsRange, Perms),
    Become(AddressSpace),
    /// The mappings are unknown from now on.
    Lose(Reason),
}

impl Step {
    pub(super) fn apply(&self, space: &mut AddressSpace) {
        match self {
            Self::Map(mapped) => space.map(*mapped),
            Self::Unmap(range) => space.unmap(*range),
            Self::Protect(range, perms) => space.protect(*range, *perms),
            Self::Become(other) => space.clone_from(other),
            Self::Lose(_) => *space = AddressSpace::default(),
        }
    }

    /// Returns the addresses whose cached spans become invalid.
    fn touches(&self) -> AbsRange {
        match self {
            Self::Map(mapped) => mapped.vma.range(),
            Self::Unmap(range) | Self::Protect(range, _) => *range,
            Self::Become(_) | Self::Lose(_) => AbsRange {
                start: AbsAddr(0),
                end: AbsAddr(u64::MAX),
            },
        }
    }
}

impl ProcessPiece {
    pub(super) fn replay(mut self, samples: &[CapturedAddrs]) -> PieceResult {
        self.samples.sort_by_key(|(time_ns, _)| *time_ns);
        let mut outcomes = Vec::with_capacity(self.samples.len());
        let mut in_kernel = Vec::new();
        let mut pending = Vec::new();
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
            if let Some(reason) = self.lost {
                found.extend(sample.addrs.iter().map(|addr| match *addr >= KERNEL {
                    true => Outcome::Unresolved(Reason::Kernel),
                    false => Outcome::Unresolved(reason),
                }));
            } else {
                let run = BatchRun {
                    source: &self.space,
                    cache: &mut self.cache,
                    pending: &mut pending,
                };
                // The lookup in a trace makes no system calls, so it cannot fail.
                let _: Result<(), vma_query::Error> = run.run(&sample.addrs, &mut found);
            }
            if sample.addrs.iter().any(|addr| *addr >= KERNEL) {
                in_kernel.push((time_ns, place));
            }
            outcomes.push((place, found));
        }
        for (_, step) in steps {
            self.take(step);
        }
        PieceResult {
            outcomes,
            in_kernel,
            cache: self.cache,
            lost: self.lost,
        }
    }

    fn take(&mut self, step: &Step) {
        step.apply(&mut self.space);
        self.cache.remove(step.touches());
        self.lost = match step {
            Step::Lose(reason) => Some(*reason),
            Step::Become(_) => None,
            // After mappings were dropped because of the limit, later mappings do not
            // make the process complete again.
            _ => self.lost.filter(|reason| *reason == Reason::Limit),
        };
    }

    pub(super) fn for_kernel(&self) -> KernelPiece {
        KernelPiece {
            space: self.space.clone(),
            steps: self.steps.clone(),
        }
    }
}

/// The mappings of the kernel, and their changes, within one piece.
pub(super) struct KernelPiece {
    pub(super) space: AddressSpace,
    pub(super) steps: Vec<(u64, Step)>,
}

impl KernelPiece {
    /// Resolves the addresses in the kernel half.
    pub(super) fn resolve(
        mut self,
        mut in_kernel: Vec<(u64, usize)>,
        samples: &[CapturedAddrs],
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
