//! What a picture says of its profile.

use std::time::{Duration, SystemTime};

use backsight_profile::Profile;

use super::shown;
use crate::utc::Utc;

/// The text above a picture.
pub(super) struct Caption {
    /// The command that was recorded.
    pub(super) title: Option<String>,
    /// The number of samples, the value that is shown, the host, and the start.
    pub(super) subtitle: String,
}

impl Caption {
    /// `shown` is the index of the sample type that is drawn.
    pub(super) fn of(profile: &Profile, shown: usize) -> Self {
        let says = |what: &str| {
            let texts = profile.comments.iter();
            let mut texts = texts.filter_map(|at| profile.strings.get(*at));
            texts.find_map(|text| Some(text.strip_prefix(what)?.strip_prefix(": ")?.to_owned()))
        };
        let mut samples = 0_u64;
        for (sample, values, _) in profile.samples.iter() {
            let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
            let value = shown.checked_sub(first).and_then(|at| values.get(at));
            if value.is_some_and(|value| *value != 0) {
                samples = samples.saturating_add(profile.sample_count(&sample, values));
            }
        }
        let start = profile
            .start_ns
            .and_then(|start| SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(start)))
            .map(|start| Utc(start).to_string());
        // A count of samples is said once, with its event.
        let value = match shown::counted(profile, shown) {
            Some(event) => format!("{samples} samples of {event}"),
            None => match shown::value_at(profile, shown).filter(|value| value != "samples") {
                Some(value) => format!("{samples} samples · {value}"),
                None => format!("{samples} samples"),
            },
        };
        let parts = [Some(value), says("host"), start];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Self {
            title: says("command"),
            subtitle: parts.join(" · "),
        }
    }
}
