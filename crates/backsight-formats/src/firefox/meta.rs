//! The metadata of the profile, and the times of samples.

use backsight_profile::{Profile, StrIdx};
use serde::Serialize;

/// The version of the format.
const VERSION: u32 = 66;

/// The index of each category of frames. The first is that of a stack without another.
pub(super) const OTHER: u32 = 0;
pub(super) const USER: u32 = 1;
pub(super) const KERNEL: u32 = 2;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta<'p> {
    categories: [Category; 3],
    debug: bool,
    extensions: Extensions,
    /// In milliseconds, like all times.
    interval: f64,
    preprocessed_profile_version: u32,
    process_type: u32,
    product: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    oscpu: Option<String>,
    #[serde(rename = "CPUName", skip_serializing_if = "Option::is_none")]
    cpu_name: Option<&'p str>,
    imported_from: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra: Vec<PanelSection<'p>>,
    sample_units: SampleUnits,
    start_time: f64,
    symbolicated: bool,
    paused_ranges: [(); 0],
    /// The version of Firefox's own format, which is not used in this one.
    version: u32,
    uses_only_one_stack_type: bool,
    source_code_is_not_on_searchfox: bool,
    marker_schema: [(); 0],
}

#[derive(Debug, Serialize)]
struct Category {
    name: &'static str,
    color: &'static str,
    subcategories: [&'static str; 1],
}

#[derive(Debug, Default, Serialize)]
struct Extensions {
    length: u32,
    #[serde(rename = "baseURL")]
    base_url: [(); 0],
    id: [(); 0],
    name: [(); 0],
}

#[derive(Debug, Serialize)]
struct SampleUnits {
    time: &'static str,
    #[serde(rename = "eventDelay")]
    event_delay: &'static str,
    #[serde(rename = "threadCPUDelta")]
    thread_cpu_delta: &'static str,
}

impl<'p> Meta<'p> {
    pub(super) fn new(profile: &'p Profile, clock: &Clock) -> Self {
        let about = RecordingNotes::new(profile);
        let category = |name, color| Category {
            name,
            color,
            subcategories: ["Other"],
        };
        let has_name = |name: Option<StrIdx>| name.is_some();
        Self {
            // In the order of the constants above.
            categories: [
                category("Other", "grey"),
                category("User", "yellow"),
                category("Kernel", "orange"),
            ],
            debug: false,
            extensions: Extensions::default(),
            interval: clock.interval_ms,
            preprocessed_profile_version: VERSION,
            process_type: 0,
            product: about.value("command").unwrap_or("backsight"),
            oscpu: about.system(),
            cpu_name: about.value("processor"),
            imported_from: "backsight",
            extra: about.sections(),
            sample_units: SampleUnits {
                time: "ms",
                event_delay: "ms",
                thread_cpu_delta: "µs",
            },
            start_time: ms(profile.start_ns.unwrap_or_default()),
            // Otherwise the page would query symbol servers.
            symbolicated: profile.frames.iter().any(|frame| has_name(frame.function)),
            paused_ranges: [],
            version: 24,
            uses_only_one_stack_type: true,
            source_code_is_not_on_searchfox: true,
            marker_schema: [],
        }
    }
}

/// A part of the panel that tells about a profile.
#[derive(Debug, Serialize)]
struct PanelSection<'p> {
    label: &'static str,
    entries: Vec<PanelEntry<'p>>,
}

#[derive(Debug, Serialize)]
struct PanelEntry<'p> {
    label: &'p str,
    format: &'static str,
    value: &'p str,
}

/// What the comments of a profile say: `command: ./survey`.
struct RecordingNotes<'p> {
    facts: Vec<(&'p str, &'p str)>,
}

impl<'p> RecordingNotes<'p> {
    fn new(profile: &'p Profile) -> Self {
        let texts = profile.comments.iter();
        let texts = texts.filter_map(|at| profile.strings.get(*at));
        let facts = texts.map(|text| text.split_once(": ").unwrap_or(("note", text)));
        Self {
            facts: facts.collect(),
        }
    }

    fn value(&self, what: &str) -> Option<&'p str> {
        let mut facts = self.facts.iter();
        let (_, value) = facts.find(|(label, _)| *label == what)?;
        Some(*value)
    }

    fn system(&self) -> Option<String> {
        let kernel = self.value("kernel")?;
        Some(match self.value("machine") {
            Some(machine) => format!("Linux {kernel} {machine}"),
            None => format!("Linux {kernel}"),
        })
    }

    fn sections(&self) -> Vec<PanelSection<'p>> {
        let entries = self.facts.iter().map(|(label, value)| PanelEntry {
            label,
            format: "string",
            value,
        });
        let entries: Vec<PanelEntry<'p>> = entries.collect();
        let section = (!entries.is_empty()).then_some(PanelSection {
            label: "Recording",
            entries,
        });
        section.into_iter().collect()
    }
}

/// Converts times of samples.
#[derive(Debug)]
pub(super) struct Clock {
    /// The time of the first sample; `None` if no sample has a time.
    start_ns: Option<u64>,
    pub(super) interval_ms: f64,
}

impl Clock {
    /// `intervals` are in nanoseconds.
    pub(super) fn new(profile: &Profile, intervals: Vec<u64>) -> Self {
        let times = profile
            .samples
            .iter()
            .filter_map(|(sample, ..)| sample.time_ns);
        let period = profile.period.filter(|(of, value)| {
            let unit = profile.strings.get(of.unit);
            unit == Some("nanoseconds") && *value > 0
        });
        let period = period.and_then(|(_, value)| u64::try_from(value).ok());
        Self {
            start_ns: times.min(),
            interval_ms: period.or_else(|| median(intervals)).map_or(1.0, ms),
        }
    }

    /// Returns the time of a sample, the `nth` of its thread, in milliseconds since the first
    /// sample. If only some samples have times, the others get the time of the first sample.
    pub(super) fn time(&self, time_ns: Option<u64>, nth: usize) -> f64 {
        match (time_ns, self.start_ns) {
            (Some(time_ns), _) => self.ms_at(time_ns),
            (None, Some(_)) => 0.0,
            (None, None) => float(u64::try_from(nth).unwrap_or(u64::MAX)) * self.interval_ms,
        }
    }

    /// Converts the start or end time of a process in the same way.
    pub(super) fn ms_at(&self, time_ns: u64) -> f64 {
        ms(time_ns.saturating_sub(self.start_ns.unwrap_or_default()))
    }
}

/// Returns the number in the middle: a few long ones are waits.
fn median(mut numbers: Vec<u64>) -> Option<u64> {
    let middle = numbers.len() / 2;
    if middle >= numbers.len() {
        return None;
    }
    let (_, median, _) = numbers.select_nth_unstable(middle);
    Some(*median).filter(|median| *median > 0)
}

/// Converts nanoseconds to milliseconds.
pub(super) fn ms(ns: u64) -> f64 {
    float(ns) / 1e6
}

/// Browsers read numbers in JSON as doubles.
#[expect(
    clippy::cast_precision_loss,
    reason = "browsers read numbers as doubles"
)]
fn float(number: u64) -> f64 {
    number as f64
}
