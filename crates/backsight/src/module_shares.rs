//! How large a part of a profile waits for each module.

use std::collections::{HashMap, HashSet};

use backsight_profile::{LocationIdx, Profile, StackIdx};
use backsight_types::ModuleIdx;

use crate::kernel_lines::wants_lines;

/// A module, and the part of the profile that has it in its stacks.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModuleShare {
    /// The module.
    pub module: ModuleIdx,
    /// The values of the samples with an unnamed location of the module in their stacks, or one
    /// of the kernel without lines, of those of all samples: 0 to 1.
    pub share: f64,
}

/// Returns the modules that samples wait for, those of the largest share first: the order in
/// which their files are worth fetching.
///
/// A sample counts as much as its value of the default type; where no sample has one, as 1.
#[must_use]
pub fn module_shares(profile: &Profile) -> Vec<ModuleShare> {
    let values = values_of_stacks(profile);
    let total: f64 = values.values().sum();
    let mut sums: HashMap<ModuleIdx, f64> = HashMap::new();
    for (stack, value) in values {
        let locations = profile.stacks.iter(stack);
        let modules: HashSet<ModuleIdx> = locations
            .filter_map(|location| waits_for(profile, location))
            .collect();
        for module in modules {
            *sums.entry(module).or_default() += value;
        }
    }
    let shares = sums.into_iter().map(|(module, sum)| ModuleShare {
        module,
        share: if total > 0.0 { sum / total } else { 0.0 },
    });
    let mut shares: Vec<ModuleShare> = shares.collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.module.cmp(&b.module)));
    shares
}

/// Returns the values of the samples of each stack.
fn values_of_stacks(profile: &Profile) -> HashMap<Option<StackIdx>, f64> {
    let default = profile.default_type.unwrap_or_default();
    let mut values: HashMap<Option<StackIdx>, f64> = HashMap::new();
    let mut counts: HashMap<Option<StackIdx>, f64> = HashMap::new();
    for (sample, of_sample, _) in profile.samples.iter() {
        let at = default.checked_sub(sample.first_type);
        let at = at.and_then(|at| usize::try_from(at).ok());
        let value = at
            .and_then(|at| of_sample.get(at))
            .copied()
            .unwrap_or_default();
        // Values of differences may be negative, and want names as well.
        *values.entry(sample.stack).or_default() += value.unsigned_abs() as f64;
        *counts.entry(sample.stack).or_default() += 1.0;
    }
    match values.values().any(|value| *value > 0.0) {
        true => values,
        false => counts,
    }
}

/// Returns the module whose symbols this location wants, or whose lines if it is of the kernel,
/// which lists its names.
fn waits_for(profile: &Profile, location: LocationIdx) -> Option<ModuleIdx> {
    let location = profile.location(location)?;
    let waits = location.frames.len == 0 || wants_lines(location, &profile.frames);
    location.module.filter(|_| waits)
}

#[cfg(test)]
mod tests {
    use backsight_profile::{FrameRange, Location, Profile, Sample};
    use backsight_types::ModuleIdx;

    use super::module_shares;

    #[test]
    fn a_module_counts_once_in_a_sample_and_as_much_as_its_value() {
        let mut profile = Profile::default();
        let mut of = |module, named: u32| {
            let (start, len) = (0, named);
            let location = Location {
                module: Some(ModuleIdx(module)),
                frames: FrameRange { start, len },
                ..Location::default()
            };
            profile.add_location(location).expect("room")
        };
        let (a, a2, b, named) = (of(0, 0), of(0, 0), of(1, 0), of(2, 1));
        let mut add = |locations: &[_], value| {
            let stack = profile.stacks.intern(locations.iter().copied());
            let sample = Sample {
                stack,
                ..Sample::default()
            };
            profile.samples.push(sample, &[value], &[]);
        };
        add(&[b, a, a2], 30);
        add(&[b, named], 60);
        add(&[], 10);
        let shares = module_shares(&profile);
        let shares: Vec<(u32, f64)> = (shares.iter()).map(|of| (of.module.0, of.share)).collect();
        assert_eq!(shares, [(1, 0.9), (0, 0.3)]);
    }

    #[test]
    fn without_values_samples_are_counted() {
        let mut profile = Profile::default();
        let location = Location {
            module: Some(ModuleIdx(0)),
            ..Location::default()
        };
        let location = profile.add_location(location).expect("room");
        for locations in [&[location][..], &[]] {
            let sample = Sample {
                stack: profile.stacks.intern(locations.iter().copied()),
                ..Sample::default()
            };
            profile.samples.push(sample, &[0], &[]);
        }
        assert_eq!(module_shares(&profile)[0].share, 0.5);
        assert_eq!(module_shares(&Profile::default()), []);
    }
}
