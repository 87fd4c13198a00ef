//! The samples of threads that do not run.

use backsight_agent::OFF_CPU_LAST_STACK;
use backsight_profile::{Profile, Samples};

/// The events that weigh how long a thread did not run: of `record`, of a tracepoint, and of
/// `perf record --off-cpu`.
const EVENTS: [&str; 4] = [
    "context-switches",
    OFF_CPU_LAST_STACK,
    "sched:sched_switch",
    "offcpu-time",
];

/// Returns the index of the value that says how long threads did not run, if there is one.
pub(crate) fn value(profile: &Profile) -> Option<u32> {
    let text = |at| profile.strings.get(at).unwrap_or_default();
    let mut types = (0_u32..).zip(&profile.sample_types);
    let waits = types.find(|(_, of)| {
        let is_event = |event: &&str| {
            let modifiers = text(of.kind).strip_prefix(*event);
            modifiers.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        text(of.unit) == "nanoseconds" && EVENTS.iter().any(is_event)
    });
    waits.map(|(at, _)| at)
}

/// Takes the samples of threads that wait, or else those of threads that run, and shows their value.
/// Returns how many samples are left out.
///
/// # Errors
/// If there are no others, or none of these.
pub(super) fn take(profile: &mut Profile, waiting: bool) -> Result<u64, String> {
    let Some(waits) = value(profile) else {
        return Err(
            "the input does not say how long threads do not run: record it with --off-cpu".into(),
        );
    };
    let samples = std::mem::take(&mut profile.samples);
    let mut taken = Samples::default();
    let (mut left_out, mut first_other) = (0_u64, None);
    for (sample, values, labels) in samples.iter() {
        let behind = u32::try_from(values.len()).unwrap_or(u32::MAX);
        let own = sample.first_type..sample.first_type.saturating_add(behind);
        let is_wait = own.contains(&waits);
        if !is_wait {
            first_other = first_other.or(Some(own.start));
        }
        if is_wait != waiting {
            left_out = left_out.saturating_add(profile.sample_count(&sample, values));
            continue;
        }
        match sample.time_ns {
            Some(_) => taken.push(sample, values, labels),
            None => taken.sum(sample, values, labels),
        }
    }
    profile.samples = taken;
    let shown = profile.default_type.unwrap_or_default();
    // The count of an event is before its amount.
    let is_of_waits = shown == waits || shown.checked_add(1) == Some(waits);
    match (waiting, first_other) {
        (true, _) => profile.default_type = Some(waits),
        (false, None) => {
            return Err("the input has only samples of threads that do not run".into());
        }
        (false, Some(first)) if is_of_waits => profile.default_type = Some(first),
        (false, Some(_)) => {}
    }
    Ok(left_out)
}
