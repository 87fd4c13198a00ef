//! The values of samples.

use backsight_profile::Sample;

/// Returns the value of one sample type; 0 if the sample has none.
pub(super) fn value_of(sample: Sample, values: &[i64], sample_type: usize) -> i64 {
    let first = usize::try_from(sample.first_type).ok();
    let at = first.and_then(|first| sample_type.checked_sub(first));
    at.and_then(|at| values.get(at))
        .copied()
        .unwrap_or_default()
}
