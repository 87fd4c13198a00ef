//! The metadata of the profile, and the times of samples.

use backsight_profile::{Profile, StrIdx};
use serde::Serialize;

/// The version of the format.
const VERSION: u32 = 55;

/// The index of each category of frames. The first is that of a stack without another.
pub(super) const OTHER: u32 = 0;
pub(super) const USER: u32 = 1;
pub(super) const KERNEL: u32 = 2;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    categories: [Category; 3],
    debug: bool,
    extensions: Extensions,
    /// In milliseconds, like all times.
    interval: f64,
    preprocessed_profile_version: u32,
    process_type: u32,
    product: &'static str,
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

impl Meta {
    pub(super) fn new(profile: &Profile, clock: &Clock) -> Self {
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
            product: "backsight",
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

/// Converts times of samples.
#[derive(Debug)]
pub(super) struct Clock {
    /// The time of the first sample; `None` if no sample has a time.
    start_ns: Option<u64>,
    pub(super) interval_ms: f64,
}

impl Clock {
    pub(super) fn new(profile: &Profile) -> Self {
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
            interval_ms: period.map_or(1.0, ms),
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
