//! Of the text of `perf script`, the samples of one event alone.

use backsight::is_called;
use backsight_formats::flaws::Flaws;
use backsight_profile::{Profile, Sample, Samples, ValueType};

/// What is said of the others.
const OTHERS: &str = "samples of events that were not asked for";

/// Keeps the samples of the events that are called so, with modifiers or without, and
/// returns what was left out. Together they have two values, as in a recording.
///
/// # Errors
/// Which events there are, when none is called so.
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
            true => "the text does not say of which event its samples are".to_owned(),
            false => format!("the text has {}", names.join(", ")),
        });
    };
    let (mut kept, mut flaws) = (Samples::default(), Flaws::default());
    for (sample, values, labels) in profile.samples.iter() {
        let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
        if !taken.contains(&first) {
            flaws.leave_out(OTHERS);
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

/// The first value of each event, and its name: that of the second value. Without events
/// the values are called `samples` and `period`.
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
