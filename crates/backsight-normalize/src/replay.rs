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
//! First, in order of time, each fork takes a copy of its parent's mappings; that
//! costs as much as the records alone. Then every process is on its own, and all
//! are replayed in parallel by the inner loop that live processes use.
//!
//! Nothing is opened here: a module is what its records say it is.

use std::collections::HashMap;

use backsight_types::trace::{Change, Record, Sample};
use backsight_types::{AbsAddr, AbsRange, Outcome, Perms, Reason};
use rayon::prelude::*;

use crate::address_space::{AddressSpace, Mapped};
use crate::batch::Pass;
use crate::image::NormalizedModule;
use crate::options::Trust;
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

/// Normalizes all samples against the mappings of their time.
///
/// Neither records nor samples need be in order of time. Where times are equal, a
/// record goes before a sample, and records keep the order they are given in.
///
/// An address of a process that has exited is [`Reason::ProcessGone`]; one of a
/// process that the records do not know is [`Reason::Unmapped`].
#[must_use]
pub fn replay(records: &[Record], samples: &[Sample]) -> Replayed {
    let mut modules = TraceModules::default();
    let mut lives = lives_of(records, &mut modules);
    for (place, sample) in samples.iter().enumerate() {
        lives
            .entry(sample.pid)
            .or_default()
            .samples
            .push((sample.time_ns, place));
    }
    let mut lives: Vec<Life> = lives.into_values().collect();
    // The longest first, so that no thread is left with it at the end.
    lives.sort_by_key(|life| std::cmp::Reverse(life.samples.len()));
    let found: Vec<Vec<(usize, Vec<Outcome>)>> = lives
        .into_par_iter()
        .map(|life| life.replay(samples))
        .collect();
    let mut outcomes = Vec::new();
    outcomes.resize_with(samples.len(), Vec::new);
    for (place, found) in found.into_iter().flatten() {
        if let Some(outcomes) = outcomes.get_mut(place) {
            *outcomes = found;
        }
    }
    Replayed {
        modules: modules.into_vec(),
        outcomes,
    }
}

/// A process ID over the whole trace.
#[derive(Debug, Default)]
struct Life {
    /// In order of time.
    steps: Vec<(u64, Step)>,
    /// The times and places of its samples.
    samples: Vec<(u64, usize)>,
}

/// What a process does by itself: forks have their parent's mappings already.
#[derive(Debug)]
enum Step {
    Map(Mapped),
    Unmap(AbsRange),
    Protect(AbsRange, Perms),
    Become(AddressSpace),
    Exit,
}

/// Puts the records of each process in order, and gives forks what they inherit.
fn lives_of(records: &[Record], modules: &mut TraceModules) -> HashMap<u32, Life> {
    let mut order: Vec<&Record> = records.iter().collect();
    order.sort_by_key(|record| record.time_ns);
    let mut spaces: HashMap<u32, AddressSpace> = HashMap::new();
    let mut lives: HashMap<u32, Life> = HashMap::new();
    for record in order {
        let step = match &record.change {
            Change::Mmap(mapping) => Step::Map(modules.mapped(mapping)),
            Change::Munmap(range) => Step::Unmap(*range),
            Change::Mprotect(range, perms) => Step::Protect(*range, *perms),
            Change::Fork { parent } => {
                Step::Become(spaces.get(parent).cloned().unwrap_or_default())
            }
            Change::Exec => Step::Become(AddressSpace::default()),
            Change::Exit => Step::Exit,
        };
        step.apply(spaces.entry(record.pid).or_default());
        lives
            .entry(record.pid)
            .or_default()
            .steps
            .push((record.time_ns, step));
    }
    lives
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
    /// Returns the outcomes of its samples, each with the sample's place.
    fn replay(mut self, samples: &[Sample]) -> Vec<(usize, Vec<Outcome>)> {
        self.samples.sort_by_key(|(time_ns, _)| *time_ns);
        let mut done = Vec::with_capacity(self.samples.len());
        let mut space = AddressSpace::default();
        let mut cache = VmaCache::new(Trust::UntilTold);
        let mut open = Vec::new();
        let mut gone = false;
        let mut steps = self.steps.iter().peekable();
        for (time_ns, place) in self.samples {
            while let Some((_, step)) = steps.next_if(|(at, _)| *at <= time_ns) {
                step.apply(&mut space);
                cache.remove(step.touches());
                gone = matches!(step, Step::Exit);
            }
            let Some(sample) = samples.get(place) else {
                continue;
            };
            let mut outcomes = Vec::new();
            if gone {
                let lost = Outcome::Unresolved(Reason::ProcessGone);
                outcomes.resize(sample.addrs.len(), lost);
            } else {
                let pass = Pass {
                    ground: &space,
                    cache: &mut cache,
                    open: &mut open,
                };
                // A trace has no system call that could fail.
                let _: Result<(), vma_query::Error> = pass.run(&sample.addrs, &mut outcomes);
            }
            done.push((place, outcomes));
        }
        done
    }
}
