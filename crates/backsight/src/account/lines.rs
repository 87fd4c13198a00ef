//! Counts for a stream of NDJSON lines: the outcome of each address, weighted by the samples
//! that contain it.
//!
//! The stream may be endless, so little is kept: four bytes for each address and one hash for
//! each distinct stack.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use backsight_formats::ndjson::{AddressLine, ProfileLine, SampleLine};
use backsight_profile::Profile;
use backsight_types::{Module, ModuleIdx, Reason};
use hashbrown::{HashMap, HashSet};

use super::figures::Account;
use super::frame_counts::FrameCounts;
use super::left_out::LeftOut;

/// Whether an address got a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum NameOutcome {
    /// Whether it is in text that was moved, whose file was inferred.
    Named(bool),
    Nameless(Option<ModuleIdx>, Option<Reason>),
}

/// Accumulates the counts of addresses, samples and modules while the lines pass.
#[derive(Debug, Default)]
pub struct LineTally {
    /// Holds the modules of all captures, and nothing else.
    profile: Profile,
    /// Maps module indexes of the current capture to indexes into `profile.modules`.
    modules: HashMap<ModuleIdx, ModuleIdx>,
    outcomes: HashMap<NameOutcome, u32>,
    /// For each outcome: the number of sample frames that have it, and the number of addresses.
    weights: Vec<(u64, u64)>,
    /// The outcome of each address of the current capture.
    addresses: Vec<u32>,
    /// Runs of consecutive address numbers: the first number, and its position in `addresses`.
    runs: Vec<(u64, usize)>,
    next: u64,
    /// For each sample type: whether its value is a number of samples.
    are_counts: Vec<bool>,
    samples: u64,
    stacks: HashSet<u64>,
    captures: u64,
}

impl LineTally {
    /// Starts the next capture. Module and address numbers start anew with it.
    pub fn begin(&mut self) {
        self.modules.clear();
        self.addresses.clear();
        self.runs.clear();
        self.next = 0;
        self.captures = self.captures.wrapping_add(1);
    }

    /// Adds a module line.
    pub fn module(&mut self, index: ModuleIdx, module: &Module) {
        if let Ok(at) = u32::try_from(self.profile.modules.len()) {
            self.profile.modules.push(module.clone());
            self.modules.insert(index, ModuleIdx(at));
        }
    }

    /// Takes the sample types from the capture's `about` line.
    pub fn about(&mut self, about: &ProfileLine) {
        let is_count = |kind: &str, unit: &str| unit == "count" && kind.ends_with("samples");
        let types = about.sample_types.iter();
        self.are_counts = types.map(|of| is_count(&of.kind, &of.unit)).collect();
    }

    /// Adds an address line.
    pub fn address(&mut self, answer: &AddressLine<'_>) {
        let is_named = answer.frames.iter().any(|frame| frame.function.is_some());
        let module = answer.module.and_then(|index| self.modules.get(&index));
        let known = module.and_then(|index| self.profile.module(*index));
        let outcome = match is_named {
            true => NameOutcome::Named(known.is_some_and(|module| module.inferred)),
            false => NameOutcome::Nameless(module.copied(), answer.reason),
        };
        let id = self.id_of(outcome);
        if let Some((_, addresses)) = self.weights.get_mut(id as usize) {
            *addresses = addresses.saturating_add(1);
        }
        let number = answer.index.unwrap_or(self.next);
        // A number that was used before keeps its first outcome.
        if number < self.next {
            return;
        }
        if self.runs.is_empty() || number != self.next {
            self.runs.push((number, self.addresses.len()));
        }
        self.addresses.push(id);
        self.next = number.saturating_add(1);
    }

    /// Adds a sample line. It refers to addresses of earlier lines.
    pub fn sample(&mut self, sample: &SampleLine) {
        let kind = usize::try_from(sample.value_type).ok();
        let is_count = kind.and_then(|kind| self.are_counts.get(kind).copied());
        let first = sample.values.first().copied();
        let count = first.filter(|_| is_count == Some(true));
        let count = count.map_or(1, |count| u64::try_from(count).unwrap_or_default());
        self.samples = self.samples.saturating_add(count);
        if sample.stack.is_empty() || count == 0 {
            return;
        }
        let mut hash = DefaultHasher::new();
        (self.captures, &sample.stack).hash(&mut hash);
        self.stacks.insert(hash.finish());
        for number in &sample.stack {
            let known = self.outcome_of(*number);
            let id = known.unwrap_or_else(|| self.id_of(NameOutcome::Nameless(None, None)));
            if let Some((frames, _)) = self.weights.get_mut(id as usize) {
                *frames = frames.saturating_add(count);
            }
        }
    }

    fn id_of(&mut self, outcome: NameOutcome) -> u32 {
        let next = u32::try_from(self.weights.len()).unwrap_or(u32::MAX);
        let id = *self.outcomes.entry(outcome).or_insert(next);
        if id == next {
            self.weights.push((0, 0));
        }
        id
    }

    fn outcome_of(&self, number: u64) -> Option<u32> {
        let run = self.runs.partition_point(|(first, _)| *first <= number);
        let (first, place) = self.runs.get(run.checked_sub(1)?)?;
        let at = usize::try_from(number.checked_sub(*first)?).ok()?;
        let at = place.checked_add(at)?;
        let end = self.runs.get(run).map(|(_, place)| *place);
        let is_there = at < end.unwrap_or(self.addresses.len());
        self.addresses.get(at).filter(|_| is_there).copied()
    }

    /// Returns the account, including `malformed` unreadable lines, and a profile that holds the
    /// modules. Without sample lines, each address counts as one frame.
    pub fn account(self, malformed: u64) -> (Account, Profile) {
        let has_samples = self.samples > 0;
        let mut names = FrameCounts::default();
        let mut frames = 0_u64;
        for (outcome, id) in &self.outcomes {
            let weights = self.weights.get(*id as usize).copied();
            let (of_samples, addresses) = weights.unwrap_or_default();
            let count = if has_samples { of_samples } else { addresses };
            frames = frames.saturating_add(count);
            match *outcome {
                _ if count == 0 => {}
                NameOutcome::Named(is_inferred) => {
                    names.add_named(count);
                    names.add_inferred(if is_inferred { count } else { 0 });
                }
                NameOutcome::Nameless(module, reason) => {
                    names.add_nameless(module, reason, count);
                    let module = module.and_then(|index| self.profile.module(index));
                    if module.is_some_and(|module| module.inferred) {
                        names.add_inferred(count);
                    }
                }
            }
        }
        let mut left_out = LeftOut::default();
        left_out.add("malformed lines", malformed);
        let account = Account {
            read: self.samples.saturating_add(left_out.total()),
            written: self.samples,
            left_out,
            stacks: u64::try_from(self.stacks.len()).unwrap_or(u64::MAX),
            frames,
            addresses: (!has_samples).then_some(frames),
            names: Some(names),
        };
        (account, self.profile)
    }
}

#[cfg(test)]
mod tests {
    use backsight_formats::ndjson::AddressLine;

    use super::LineTally;

    #[test]
    fn a_lost_line_shifts_no_other_number() {
        let mut tally = LineTally::default();
        for number in [None, Some(1), Some(3), Some(3), None, Some(u64::MAX), None] {
            tally.address(&AddressLine {
                index: number,
                ..AddressLine::default()
            });
        }
        let places: Vec<u64> = (0..7)
            .filter(|at| tally.outcome_of(*at).is_some())
            .collect();
        assert_eq!(places, [0, 1, 3, 4]);
        assert!(tally.outcome_of(u64::MAX).is_some() && tally.outcome_of(1 << 40).is_none());
    }
}
