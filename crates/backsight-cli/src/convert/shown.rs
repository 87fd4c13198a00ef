//! Reports what an output format with room for one value leaves out.

use std::collections::HashSet;

use backsight_profile::Profile;

use crate::decimals::decimals;

/// Returns how many samples of which events are shown and how many are left out; `None` if all
/// are shown. A sample is left out if the shown type is not among its value types. Samples are
/// counted as the account counts them, also where their first value is an amount, as in heap
/// profiles.
///
/// In some formats, such as OpenTelemetry's, what was measured once has a sample for each type,
/// with a single value. With `has_single`, a sample with a single value is of its own; without, such
/// a sample is not left out because of the type. The exception is a text without periods, in which
/// each sample has only the count.
pub(crate) fn left_out(profile: &Profile, shown: usize, has_single: bool) -> Option<String> {
    let firsts: HashSet<usize> = (profile.samples.iter())
        .filter_map(|(sample, ..)| usize::try_from(sample.first_type).ok())
        .collect();
    let counts_alone = |first: usize| {
        let has_amount = first.checked_add(1).is_some_and(|at| firsts.contains(&at));
        !has_amount && event(profile, first).is_some()
    };
    let mut counts: Vec<Option<(bool, u64)>> = Vec::new();
    counts.resize(profile.sample_types.len(), None);
    let mut single = counts.clone();
    for (sample, values, _) in profile.samples.iter() {
        let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
        let is_shown = (first..first.saturating_add(values.len())).contains(&shown);
        let is_one = values.len() > 1 || counts_alone(first);
        let counts = match is_one {
            true => &mut counts,
            false if has_single => &mut single,
            false => continue,
        };
        let more = profile.sample_count(&sample, values);
        if let Some(count) = counts.get_mut(first) {
            let (_, count) = count.get_or_insert((is_shown, 0));
            *count = count.saturating_add(more);
        }
    }
    // Of the two value types of an event, the second has its name.
    let name = |first: usize, is_single: bool| {
        let counts_samples = kind(profile, first).is_some_and(|kind| kind.ends_with("samples"));
        let behind = first.checked_add(1);
        let behind = behind.filter(|_| !is_single && counts_samples);
        let name = behind.and_then(|behind| kind(profile, behind));
        let name = name.or_else(|| kind(profile, first));
        name.unwrap_or_default().to_owned()
    };
    let of = |wanted: bool| {
        let several = counts.iter().enumerate().map(|of| (of, false));
        let single = single.iter().enumerate().map(|of| (of, true));
        let wanted = several
            .chain(single)
            .filter_map(|((first, count), is_single)| {
                let (is_shown, count) = (*count)?;
                (is_shown == wanted).then_some((first, count, is_single))
            });
        let each =
            wanted.map(|(first, count, single)| format!("{count} of {}", name(first, single)));
        each.collect::<Vec<_>>().join(", ")
    };
    let (shown, others) = (of(true), of(false));
    let shown = if shown.is_empty() { "none" } else { &shown };
    (!others.is_empty()).then(|| format!("samples shown: {shown}; left out: {others}"))
}

/// Returns the value that is shown, and its unit: `cpu-clock in nanoseconds`.
pub(crate) fn value(profile: &Profile) -> Option<String> {
    value_at(
        profile,
        usize::try_from(profile.default_type.unwrap_or_default()).ok()?,
    )
}

/// Returns the value with this index, and its unit.
pub(super) fn value_at(profile: &Profile, at: usize) -> Option<String> {
    let name = kind(profile, at)?;
    let unit = profile.strings.get(profile.sample_types.get(at)?.unit);
    // Of values with decimal places, the unit is how they are kept, and not what they measure.
    let is_said = |unit: &&str| !unit.is_empty() && *unit != "count" && decimals(unit).is_none();
    match unit.filter(is_said) {
        Some(unit) => Some(format!("{name} in {unit}")),
        None => Some(name.to_owned()),
    }
}

/// Returns the event whose samples the value with this index counts; `None` if it is no count of
/// samples, or its event is not known.
pub(super) fn counted(profile: &Profile, at: usize) -> Option<&str> {
    let next = || kind(profile, at.checked_add(1)?).filter(|name| *name != "period");
    match kind(profile, at)? {
        "samples" if profile.sample_types.len() == 2 => next(),
        _ => event(profile, at),
    }
}

/// Returns a message that there are no samples, and of which events.
pub(super) fn nothing(profile: &Profile) -> String {
    let kinds = (0..profile.sample_types.len()).filter_map(|at| kind(profile, at));
    // The value types that count samples are not events.
    let is_event = |kind: &&str| *kind != "samples" && !kind.ends_with("-samples");
    let events: Vec<&str> = kinds.filter(is_event).collect();
    match events.is_empty() {
        true => "no samples".to_owned(),
        false => format!("no samples of {}", events.join(", ")),
    }
}

fn kind(profile: &Profile, at: usize) -> Option<&str> {
    profile.strings.get(profile.sample_types.get(at)?.kind)
}

/// Returns the event whose samples a value type counts: the next value type has its name.
fn event(profile: &Profile, first: usize) -> Option<&str> {
    let name = kind(profile, first.checked_add(1)?)?;
    let counted = kind(profile, first)?.strip_suffix("-samples")?;
    (counted == name).then_some(name)
}
