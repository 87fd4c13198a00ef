//! What a conversion came to: a value, which is said at the edge.
//!
//! ```text
//!   samples, as they are handed on ──▶ Tally ──▶ Account ──▶ a few lines, or JSON
//! ```
//!
//! Every sample that was read is written or left out by a cause, and every frame has a
//! name or a reason. Frames are weighed by the samples that they are in. `symbolize -i`
//! has lines instead of a profile: [`lines`].

mod causes;
mod ends;
pub(crate) mod lines;
mod said;
mod say;

use backsight::Ends;
use backsight_formats::flaws::Flaws;
use backsight_types::profile::{Profile, Sample, StackIdx};

use causes::Causes;

pub(crate) use said::Said;
pub(crate) use say::When;

/// Samples by their stack, as they pass.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    samples: u64,
    /// How many samples have each stack.
    of_stacks: Vec<u64>,
}

/// What of an input is not in the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    samples: Vec<(String, u64)>,
    /// Things that are no samples: parts of them, records.
    others: Vec<(String, u64)>,
    /// Of stacks that were recorded as memory.
    pub(crate) ends: Ends,
}

impl LeftOut {
    /// Counts samples that have no place in the profile. `cause` is a plural that follows
    /// their number.
    pub(crate) fn add(&mut self, cause: &str, count: u64) {
        if count > 0 {
            self.samples.push((cause.to_owned(), count));
        }
    }

    /// Counts what is no sample: `what` is a plural that follows the number.
    pub(crate) fn add_other(&mut self, what: &str, count: u64) {
        if count > 0 {
            self.others.push((what.to_owned(), count));
        }
    }

    /// Counts what was wrong with an input, as far as that are samples, and what there is
    /// no place for.
    pub(crate) fn add_flaws(&mut self, flaws: &Flaws) {
        let is_samples = |what: &str| what.starts_with("samples ");
        for (what, count) in flaws.iter().filter(|(what, _)| is_samples(what)) {
            self.add(what, count);
        }
        for (what, count) in flaws.left_out() {
            match is_samples(what) {
                true => self.add(what, count),
                false => self.add_other(what, count),
            }
        }
    }

    fn total(&self) -> u64 {
        self.samples
            .iter()
            .fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}

/// What a conversion came to.
#[derive(Debug)]
pub(crate) struct Account {
    read: u64,
    written: u64,
    left_out: LeftOut,
    stacks: u64,
    frames: u64,
    /// Where there are no samples: how many addresses, each of which is a frame.
    addresses: Option<u64>,
    /// `None` where nobody asked for names.
    causes: Option<Causes>,
}

impl Tally {
    /// Takes the samples that a profile holds and that are written: with `shown`, those
    /// that have a value of this type. Returns how many are not.
    pub(crate) fn take(&mut self, profile: &Profile, shown: Option<usize>) -> u64 {
        let mut others = 0_u64;
        for (sample, values, _) in profile.samples.iter() {
            let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
            let types = first..first.saturating_add(values.len());
            if shown.is_some_and(|shown| !types.contains(&shown)) {
                others = others.saturating_add(count(profile, &sample, values));
                continue;
            }
            let count = count(profile, &sample, values);
            self.samples = self.samples.saturating_add(count);
            let Some(stack) = sample.stack else { continue };
            let place = stack.as_usize();
            if self.of_stacks.len() <= place {
                let all = profile.stacks.len().max(place.saturating_add(1));
                self.of_stacks.resize(all, 0);
            }
            if let Some(of_stack) = self.of_stacks.get_mut(place) {
                *of_stack = of_stack.saturating_add(count);
            }
        }
        others
    }

    /// Ends: `profile` has all stacks by now. Names count if they were asked for.
    pub(crate) fn account(self, profile: &Profile, left_out: LeftOut, has_names: bool) -> Account {
        let mut causes = Causes::default();
        let (mut stacks, mut frames) = (0_u64, 0_u64);
        for (place, count) in self.of_stacks.iter().enumerate().filter(|(_, it)| **it > 0) {
            stacks = stacks.saturating_add(1);
            let stack = u32::try_from(place).ok().map(StackIdx);
            for location in profile.stacks.iter(stack) {
                frames = frames.saturating_add(*count);
                match profile.location(location) {
                    Some(location) => causes.add(profile, location, *count),
                    None => causes.add_nameless(None, None, *count),
                }
            }
        }
        Account {
            read: self.samples.saturating_add(left_out.total()),
            written: self.samples,
            left_out,
            stacks,
            frames,
            addresses: None,
            causes: has_names.then_some(causes),
        }
    }
}

/// Returns how many samples of the input a row stands for: where its first value counts
/// samples, rows that are alike were added up.
fn count(profile: &Profile, sample: &Sample, values: &[i64]) -> u64 {
    let kind = usize::try_from(sample.first_type).ok();
    let kind = kind.and_then(|at| profile.sample_types.get(at));
    let is_count = kind.is_some_and(|kind| {
        let text = |index| profile.strings.get(index).unwrap_or_default();
        text(kind.unit) == "count" && text(kind.kind).ends_with("samples")
    });
    let first = values.first().copied().filter(|_| is_count);
    first.map_or(1, |count| u64::try_from(count).unwrap_or_default())
}
