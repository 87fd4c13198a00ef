//! What an output with room for one kind of value shows, and what it leaves out.

use backsight_types::profile::Profile;

/// Returns how many samples of which events are shown, and which are not; `None` when
/// all are. A sample whose values are of other types than the shown one is left out. One
/// with a single value is none of a recording: the same has a sample for each type then.
pub(super) fn left_out(profile: &Profile, shown: usize) -> Option<String> {
    let mut counts: Vec<Option<(bool, i64)>> = Vec::new();
    counts.resize(profile.sample_types.len(), None);
    for (sample, values, _) in profile.samples.iter() {
        let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
        let Some(count) = counts.get_mut(first).filter(|_| values.len() > 1) else {
            continue;
        };
        let is_shown = (first..first.saturating_add(values.len())).contains(&shown);
        let (_, count) = count.get_or_insert((is_shown, 0));
        *count = count.saturating_add(values.first().copied().unwrap_or(1));
    }
    // The first value counts, and the second is called as the event.
    let name = |first: usize| {
        let mut types = profile.sample_types.iter().skip(first);
        let kind = types.nth(1).and_then(|of| profile.strings.get(of.kind));
        kind.unwrap_or_default().to_owned()
    };
    let of = |wanted: bool| {
        let known = counts.iter().enumerate();
        let wanted = known.filter_map(move |(first, count)| {
            let (is_shown, count) = (*count)?;
            (is_shown == wanted).then_some((first, count))
        });
        let each = wanted.map(|(first, count)| format!("{count} of {}", name(first)));
        each.collect::<Vec<_>>().join(", ")
    };
    let (shown, others) = (of(true), of(false));
    let shown = if shown.is_empty() { "none" } else { &shown };
    (!others.is_empty()).then(|| format!("samples shown: {shown}; left out: {others}"))
}
