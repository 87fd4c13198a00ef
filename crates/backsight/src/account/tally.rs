//! Counts samples and frames of a profile that is written piece by piece.

use backsight_profile::{Profile, StackIdx};

use super::figures::Account;
use super::frame_counts::FrameCounts;
use super::left_out::LeftOut;

/// Accumulates the number of samples of each stack.
#[derive(Debug, Default)]
pub struct Tally {
    samples: u64,
    /// How many samples have each stack.
    of_stacks: Vec<u64>,
}

impl Tally {
    /// Adds the samples of a profile that are written: all, or those whose value of type `shown`
    /// is not zero. Returns the number of the others.
    pub fn take(&mut self, profile: &Profile, shown: Option<usize>) -> u64 {
        let mut others = 0_u64;
        for (sample, values, _) in profile.samples.iter() {
            let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
            let value = |shown: usize| values.get(shown.checked_sub(first)?).copied();
            let has_it = |shown| value(shown).is_some_and(|value| value != 0);
            if shown.is_some_and(|shown| !has_it(shown)) {
                others = others.saturating_add(profile.sample_count(&sample, values));
                continue;
            }
            let count = profile.sample_count(&sample, values);
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

    /// Returns the account. `profile` must have all stacks by now. Names are counted if
    /// `has_names`.
    pub fn account(self, profile: &Profile, left_out: LeftOut, has_names: bool) -> Account {
        let mut names = FrameCounts::default();
        let (mut stacks, mut frames) = (0_u64, 0_u64);
        for (place, count) in self.of_stacks.iter().enumerate().filter(|(_, it)| **it > 0) {
            stacks = stacks.saturating_add(1);
            let stack = u32::try_from(place).ok().map(StackIdx);
            for location in profile.stacks.iter(stack) {
                frames = frames.saturating_add(*count);
                match profile.location(location) {
                    Some(location) => names.add(profile, location, *count),
                    None => names.add_nameless(None, None, *count),
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
            names: has_names.then_some(names),
        }
    }
}
