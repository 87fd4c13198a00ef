//! Tells the events of a profile apart, in formats whose samples do not say of which event they are.
//!
//! Each sample of a recording is of one event, and has two values: the number of samples, and the
//! amount. In pprof, a sample has the values of all events, and those of the others are 0. In OTLP,
//! each value is a sample of its own.

#[cfg(feature = "otlp")]
use std::collections::{HashMap, VecDeque};

#[cfg(feature = "otlp")]
use backsight_profile::{Label, Sample, Samples};
use backsight_profile::{Profile, ValueType};

/// The number of values of an event.
const PAIR: usize = 2;

/// Whether the sample types are those of events: for each event a number of samples, `NAME-samples`,
/// and then the amount, `NAME`. Of one event alone, the number is called `samples`.
pub(crate) fn are_events(profile: &Profile) -> bool {
    let text = |at| profile.strings.get(at).unwrap_or_default();
    let (pairs, rest) = profile.sample_types.as_chunks::<PAIR>();
    let is_event = |[count, amount]: &[ValueType; PAIR]| {
        let name = text(count.kind);
        let is_only = pairs.len() == 1 && name == "samples";
        let is_of_it = name.strip_suffix("-samples") == Some(text(amount.kind));
        text(count.unit) == "count" && (is_only || is_of_it)
    };
    !pairs.is_empty() && rest.is_empty() && pairs.iter().all(is_event)
}

/// Returns the values of each event that a sample has, and the sample type of the first of them.
/// `values` are those of all sample types.
pub(crate) fn of_events(values: &[i64]) -> impl Iterator<Item = (u32, &[i64])> {
    let pairs = (0_u32..).step_by(PAIR).zip(values.chunks(PAIR));
    let is_nothing = values.iter().all(|value| *value == 0);
    pairs.filter(move |(first, pair)| {
        pair.iter().any(|value| *value != 0) || (is_nothing && *first == 0)
    })
}

/// A sample with the values of an event that were found so far.
#[cfg(feature = "otlp")]
pub(crate) struct JoinedSample<'p> {
    sample: Sample,
    values: [Option<i64>; PAIR],
    labels: &'p [Label],
}

/// Joins the number of samples and the amount, where each is a sample of its own, and tells apart
/// samples that have the values of all events.
#[cfg(feature = "otlp")]
pub(crate) fn join(profile: &mut Profile) {
    if !are_events(profile) {
        return;
    }
    let types = profile.sample_types.len();
    let samples = std::mem::take(&mut profile.samples);
    let mut joined: Vec<JoinedSample<'_>> = Vec::with_capacity(samples.len());
    // Those that lack their other value: which value, and of what sample.
    let mut waiting: HashMap<(usize, Sample, &[Label]), VecDeque<usize>> = HashMap::new();
    for (sample, values, labels) in samples.iter() {
        let mut add = |first_type, values: [Option<i64>; PAIR]| {
            let sample = Sample {
                first_type,
                ..sample
            };
            joined.push(JoinedSample {
                sample,
                values,
                labels,
            });
        };
        if values.len() == types {
            for (first_type, values) in of_events(values) {
                add(first_type, [0, 1].map(|at: usize| values.get(at).copied()));
            }
            continue;
        }
        let nth = usize::from(sample.first_type % 2 == 1);
        let first_type = sample.first_type & !1;
        let event = Sample {
            first_type,
            ..sample
        };
        let value = values.first().copied();
        let other = waiting.get_mut(&(usize::from(nth == 0), event, labels));
        if let Some(at) = other.and_then(VecDeque::pop_front) {
            let other = joined.get_mut(at);
            if let Some(place) = other.and_then(|other| other.values.get_mut(nth)) {
                *place = value;
            }
            continue;
        }
        let at = joined.len();
        waiting
            .entry((nth, event, labels))
            .or_default()
            .push_back(at);
        let mut values = [None; PAIR];
        if let Some(place) = values.get_mut(nth) {
            *place = value;
        }
        joined.push(JoinedSample {
            sample: event,
            values,
            labels,
        });
    }
    let mut told_apart = Samples::default();
    for JoinedSample {
        sample,
        values,
        labels,
    } in joined
    {
        match values {
            [Some(count), Some(amount)] => told_apart.push(sample, &[count, amount], labels),
            [Some(value), None] => told_apart.push(sample, &[value], labels),
            [None, Some(value)] => {
                let first_type = sample.first_type.saturating_add(1);
                let sample = Sample {
                    first_type,
                    ..sample
                };
                told_apart.push(sample, &[value], labels);
            }
            [None, None] => told_apart.push(sample, &[], labels),
        }
    }
    profile.samples = told_apart;
}
