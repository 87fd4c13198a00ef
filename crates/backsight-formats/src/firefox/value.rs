//! The values of samples.

use backsight_profile::{Profile, Sample};

/// Returns the value of one sample type; 0 if the sample has none.
pub(super) fn value_of(sample: Sample, values: &[i64], sample_type: usize) -> i64 {
    let first = usize::try_from(sample.first_type).ok();
    let at = first.and_then(|first| sample_type.checked_sub(first));
    at.and_then(|at| values.get(at))
        .copied()
        .unwrap_or_default()
}

/// Returns the sample type that counts the time on a processor, in nanoseconds.
pub(super) fn cpu_type(profile: &Profile) -> Option<usize> {
    let text = |at| profile.strings.get(at).unwrap_or_default();
    profile.sample_types.iter().position(|of| {
        let kind = text(of.kind);
        // `cpu-clock:u` counts only a part of it.
        text(of.unit) == "nanoseconds" && matches!(kind, "cpu-clock" | "task-clock" | "cpu")
    })
}
