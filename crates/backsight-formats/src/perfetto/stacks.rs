//! The profile while it grows: stacks, threads, sample types.

use backsight_profile::{Label, Profile, Sample, StackIdx, StrIdx, ThreadIdx, ValueType};
use hashbrown::HashMap;

use super::interned::{InternedTables, TaskRow};
use super::places::{Names, Places};
use crate::flaws::Flaws;
use crate::protobuf::{Error, Limits, MemoryBudget};
use crate::threads::NamedThreads;

/// The memory of a node in the tree of stacks, including its entry in the hash table.
const NODE: usize = 24;

/// The memory of a sample without its values and labels.
const SAMPLE: usize = 64;

/// The most sample types. A writer needs memory for each of them in each sample.
const MAX_TYPES: usize = 128;

/// What is read of a trace so far.
#[derive(Debug)]
pub(super) struct GrowingProfile {
    pub(super) profile: Profile,
    pub(super) flaws: Flaws,
    pub(super) budget: MemoryBudget,
    pub(super) places: Places,
    threads: NamedThreads,
    /// The first type of each group, by the kind of the first one and by the last one.
    groups: HashMap<(StrIdx, ValueType), u32>,
    /// The clock of the samples' times.
    clock: Option<u32>,
}

impl GrowingProfile {
    pub(super) fn new(limits: &Limits, names: Names) -> Self {
        Self {
            profile: Profile::default(),
            flaws: Flaws::default(),
            budget: MemoryBudget::new(limits.memory),
            places: Places::new(names),
            threads: NamedThreads::default(),
            groups: HashMap::new(),
            clock: None,
        }
    }

    /// Returns the stack of an interned callstack.
    pub(super) fn stack(
        &mut self,
        tables: &mut InternedTables,
        iid: u64,
    ) -> Result<Option<StackIdx>, Error> {
        if let Some(known) = tables.known_stacks.get(&iid) {
            return Ok(*known);
        }
        let Some(frames) = tables.callstacks.remove(&iid) else {
            self.flaws.count("stacks that are not in the trace");
            return Ok(None);
        };
        let stack = self.stack_of(tables, &frames);
        tables.callstacks.insert(iid, frames);
        self.budget.take_rows::<(u64, Option<StackIdx>)>(2)?;
        tables.known_stacks.insert(iid, stack?);
        Ok(tables.known_stacks.get(&iid).copied().flatten())
    }

    /// Returns the stack of these frames, outermost first.
    pub(super) fn stack_of(
        &mut self,
        tables: &mut InternedTables,
        frames: &[u64],
    ) -> Result<Option<StackIdx>, Error> {
        let mut stack = None;
        for iid in frames {
            let Self {
                profile,
                flaws,
                budget,
                places,
                ..
            } = self;
            match places.location(tables, *iid, profile, budget, flaws)? {
                Some(location) => {
                    let nodes = profile.stacks.len();
                    stack = Some(profile.stacks.call(stack, location));
                    let more = profile.stacks.len().saturating_sub(nodes);
                    budget.take(more.saturating_mul(NODE))?;
                }
                None => flaws.count("stacks that refer to a missing frame"),
            }
        }
        Ok(stack)
    }

    pub(super) fn thread(&mut self, task: TaskRow) -> Result<Option<ThreadIdx>, Error> {
        let Some(pid) = task.pid.or(task.tid) else {
            return Ok(None);
        };
        self.budget.take(SAMPLE)?;
        let Self {
            profile, threads, ..
        } = self;
        Ok(threads.thread((pid, None), (task.tid, None), profile))
    }

    /// Returns the first of these types; `None` if there are too many types.
    pub(super) fn types(&mut self, wanted: &[(&str, &str)]) -> Option<u32> {
        let strings = &mut self.profile.strings;
        let types = wanted.iter().map(|(kind, unit)| ValueType {
            kind: strings.intern(kind),
            unit: strings.intern(unit),
        });
        let types: Vec<ValueType> = types.collect();
        let key = (types.first()?.kind, *types.last()?);
        if let Some(known) = self.groups.get(&key) {
            return Some(*known);
        }
        let all = &mut self.profile.sample_types;
        if all.len().saturating_add(types.len()) > MAX_TYPES {
            return None;
        }
        let first = u32::try_from(all.len()).ok()?;
        all.extend(types);
        let last = all.len().checked_sub(1);
        let last = last.and_then(|last| u32::try_from(last).ok());
        let default = &mut self.profile.default_type;
        *default = default.or(last);
        self.groups.insert(key, first);
        Some(first)
    }

    /// Returns a time if it is of the clock that the first one was of, as all times must be.
    pub(super) fn time(&mut self, clock: u32, time_ns: Option<u64>) -> Option<u64> {
        /// The first clock that a writer defines, which may count from packet to packet.
        const FIRST_CUSTOM: u32 = 64;
        let time_ns = time_ns?;
        if clock >= FIRST_CUSTOM || *self.clock.get_or_insert(clock) != clock {
            self.flaws.change(
                "times on another clock than that of the first sample, left out",
                1,
            );
            return None;
        }
        Some(time_ns)
    }

    pub(super) fn push(&mut self, sample: Sample, values: &[i64]) -> Result<(), Error> {
        self.budget.take(SAMPLE)?;
        self.budget.take_rows::<i64>(values.len())?;
        self.profile.samples.push(sample, values, &[]);
        Ok(())
    }

    pub(super) fn sum(
        &mut self,
        sample: Sample,
        values: &[i64],
        labels: &[Label],
    ) -> Result<(), Error> {
        self.budget.take(SAMPLE)?;
        self.budget.take_rows::<i64>(values.len())?;
        self.budget.take_rows::<Label>(labels.len())?;
        self.profile.samples.sum(sample, values, labels);
        Ok(())
    }
}
