//! The amount of a value, stack by stack.

use std::collections::HashMap;

use backsight_profile::{Profile, Sample, StackIdx};

/// The sum of a value for each stack.
#[derive(Debug, Default)]
pub(crate) struct Amounts {
    /// The sum of the absolute values: negative ones are those of a difference.
    pub(crate) whole: i64,
    /// The stacks in the order of their indices. Samples without a stack have `None`.
    pub(crate) by_stack: Vec<(Option<StackIdx>, i64)>,
}

impl Amounts {
    /// Sums the value with this index of a sample type.
    pub(crate) fn of(profile: &Profile, value: u32) -> Self {
        let mut sums: HashMap<Option<StackIdx>, i64> = HashMap::new();
        let mut whole = 0_i64;
        each(profile, value, |sample, amount| {
            whole = whole.saturating_add(amount.saturating_abs());
            let sum = sums.entry(sample.stack).or_default();
            *sum = sum.saturating_add(amount);
        });
        let mut by_stack: Vec<_> = sums.into_iter().collect();
        by_stack.sort_unstable_by_key(|(stack, _)| *stack);
        Self { whole, by_stack }
    }
}

/// Calls `take` with each sample that has the value, if it is not zero.
pub(crate) fn each(profile: &Profile, value: u32, mut take: impl FnMut(&Sample, i64)) {
    for (sample, values, _) in profile.samples.iter() {
        let at = value.checked_sub(sample.first_type);
        let at = at.and_then(|at| usize::try_from(at).ok());
        match at.and_then(|at| values.get(at)) {
            None | Some(0) => {}
            Some(amount) => take(&sample, *amount),
        }
    }
}
