//! Selects the samples of one event from the text of `perf script`.

use backsight::is_called;
use backsight_formats::flaws::Flaws;
use backsight_profile::{Profile, Sample, Samples, ValueType};

/// The name of the samples of other events in the account.
const OTHER_EVENTS: &str = "samples of events that are not chosen";

/// Keeps the samples of events with this name, with modifiers or without, and returns what was
/// left out. The kept samples have two value types, as those of a recording.
///
/// # Errors
/// If no event has this name: the names of the events.
pub(super) fn take(profile: &mut Profile, wanted: &str, summed: bool) -> Result<Flaws, String> {
    let events = events(profile);
    let is_exact = events.iter().any(|(_, name)| name == wanted);
    let is_taken = |name: &str| match is_exact {
        true => name == wanted,
        false => is_called(name, wanted),
    };
    let taken = events.iter().filter(|(_, name)| is_taken(name));
    let taken: Vec<usize> = taken.map(|(first, _)| *first).collect();
    let Some(unit) = taken.first().and_then(|first| {
        let behind = first.checked_add(1)?;
        Some(profile.sample_types.get(behind)?.unit)
    }) else {
        let names: Vec<&str> = events.iter().map(|(_, name)| name.as_str()).collect();
        return Err(match names.is_empty() {
            true => "the text does not name the events of its samples".to_owned(),
            false => format!("the text has {}", names.join(", ")),
        });
    };
    let (mut kept, mut flaws) = (Samples::default(), Flaws::default());
    for (sample, values, labels) in profile.samples.iter() {
        let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
        if !taken.contains(&first) {
            flaws.leave_out_many(OTHER_EVENTS, profile.sample_count(&sample, values));
            continue;
        }
        let sample = Sample {
            first_type: 0,
            ..sample
        };
        match summed {
            true => kept.sum(sample, values, labels),
            false => kept.push(sample, values, labels),
        }
    }
    let count = |kind, unit| ValueType { kind, unit };
    let [samples, name, one] =
        ["samples", wanted, "count"].map(|text| profile.strings.intern(text));
    profile.sample_types = vec![count(samples, one), count(name, unit)];
    profile.default_type = None;
    profile.samples = kept;
    Ok(flaws)
}

/// Returns the first value type of each event, and its name, which is that of the second value
/// type. Without events, the value types are `samples` and `period`.
fn events(profile: &Profile) -> Vec<(usize, String)> {
    let kind = |of: &ValueType| profile.strings.get(of.kind).unwrap_or_default();
    let pairs = profile.sample_types.chunks_exact(2).enumerate();
    let named = pairs.filter_map(|(number, pair)| {
        let [_, second] = pair else { return None };
        Some((number.checked_mul(2)?, kind(second).to_owned()))
    });
    let is_only = profile.sample_types.len() == 2;
    named
        .filter(|(_, name)| !(is_only && name == "period"))
        .collect()
}
