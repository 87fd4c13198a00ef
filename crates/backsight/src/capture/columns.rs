//! Which events of a recording become value types of the profile.
//!
//! Each event has two values: the number of samples, and the sum of their periods. With `--event
//! NAME`, only the events of that name are taken, and they share one pair of values. Otherwise
//! all events are taken. Formats with room for one value show the event with the most samples,
//! because the first event may have none: on a hybrid CPU, it may count on cores where nothing
//! ran.

use backsight_profile::{Profile, ValueType};
use backsight_types::trace::EventType;

/// The name that `perf record --off-cpu` gives its BPF event.
const OFF_CPU: &str = "offcpu-time";

/// The value types of a recording's events.
#[derive(Debug, Default)]
pub(super) struct Columns {
    wanted: Option<String>,
    /// For each event.
    events: Vec<Column>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Column {
    /// The index of its first value type; `None` if the event is not taken.
    first_type: Option<u32>,
    samples: u64,
    /// Whether the event measures the time that threads did not run.
    is_off_cpu: bool,
}

impl Columns {
    /// Starts with the requested event name, if any.
    pub(super) fn new(wanted: Option<String>) -> Self {
        Self {
            wanted,
            events: Vec::new(),
        }
    }

    /// Returns the names of all events if none matches the requested name.
    pub(super) fn missing(&self, events: &[EventType]) -> Option<Vec<String>> {
        let wanted = self.wanted.as_deref()?;
        if events.iter().any(|event| is_called(&event.name, wanted)) {
            return None;
        }
        let names = events.iter().filter(|event| is_shown(event));
        Some(names.map(|event| event.name.clone()).collect())
    }

    /// Adds value types for the events listed so far. More may follow.
    pub(super) fn update(&mut self, events: &[EventType], profile: &mut Profile) {
        let is_exact = |name: &str| events.iter().any(|event| event.name == name);
        let wanted = self.wanted.clone();
        let is_taken = |event: &EventType| match &wanted {
            None => is_shown(event),
            Some(name) if is_exact(name) => event.name == *name,
            Some(name) => is_called(&event.name, name),
        };
        let is_only = wanted.is_some() || events.iter().filter(|one| is_taken(one)).count() == 1;
        for event in events.iter().skip(self.events.len()) {
            let mut column = Column {
                is_off_cpu: event.is_of_switches || event.name == OFF_CPU,
                ..Column::default()
            };
            if is_taken(event) {
                let others = self.events.iter().filter_map(|column| column.first_type);
                let shared = others.min().filter(|_| wanted.is_some());
                let new = || add(event, wanted.as_deref(), is_only, profile);
                column.first_type = Some(shared.unwrap_or_else(new));
            }
            self.events.push(column);
        }
    }

    /// Counts a sample of an event, and returns the index of the event's first value type;
    /// `None` if the event is not taken.
    pub(super) fn count(&mut self, event: usize) -> Option<u32> {
        let column = self.events.get_mut(event)?;
        column.samples = column.samples.saturating_add(1);
        column.first_type
    }

    /// Returns the number of samples of events that are not taken.
    pub(super) fn not_taken(&self) -> u64 {
        let others = self.events.iter().filter(|it| it.first_type.is_none());
        others.fold(0, |sum, column| sum.saturating_add(column.samples))
    }

    /// Sets the default value type: that of the event with the most samples; the first of equal
    /// ones.
    pub(super) fn choose(&self, profile: &mut Profile) {
        let taken = self
            .events
            .iter()
            .filter(|column| column.first_type.is_some());
        let most = taken.rev().max_by_key(|column| column.samples);
        let Some((most, first)) = most.and_then(|most| Some((most, most.first_type?))) else {
            return;
        };
        // For off-CPU events the time matters, not the number of samples.
        let shown = first.saturating_add(u32::from(most.is_off_cpu));
        profile.default_type = Some(shown).filter(|shown| *shown > 0);
    }
}

/// Adds the value types of an event, and returns the index of the first.
fn add(event: &EventType, wanted: Option<&str>, is_only: bool, profile: &mut Profile) -> u32 {
    let at = u32::try_from(profile.sample_types.len()).unwrap_or(u32::MAX);
    let name = wanted.unwrap_or(&event.name);
    let samples = match is_only {
        true => "samples".to_owned(),
        false => format!("{name}-samples"),
    };
    let unit = match event.is_of_switches {
        true => "nanoseconds",
        false => event.unit.as_str(),
    };
    let strings = &mut profile.strings;
    let mut value = |kind: &str, unit: &str| ValueType {
        kind: strings.intern(kind),
        unit: strings.intern(unit),
    };
    let count = value(&samples, "count");
    let amount = value(name, unit);
    profile.sample_types.extend([count, amount]);
    let period = event.period.filter(|_| is_only && !event.is_of_switches);
    if let Some(period) = period {
        let period = i64::try_from(period).unwrap_or(i64::MAX);
        profile.period = Some((amount, period));
    }
    at
}

/// perf adds a `dummy` event, which counts nothing, to receive mmap records.
fn is_shown(event: &EventType) -> bool {
    !event.name.starts_with("dummy")
}

/// Returns whether an event has this name. Modifiers (`cycles:u`) and the PMU
/// (`cpu_core/cycles/`) may be omitted.
pub fn is_called(name: &str, wanted: &str) -> bool {
    let plain = without_modifiers(name);
    let of_unit = plain
        .strip_suffix('/')
        .and_then(|name| name.split_once('/'));
    let terms = of_unit.map(|(_, terms)| terms);
    name == wanted || plain == wanted || terms == Some(wanted)
}

/// Strips modifiers: `cycles:ppp` becomes `cycles`, and `cpu/cycles/u` becomes `cpu/cycles/`.
fn without_modifiers(name: &str) -> &str {
    let is_modifier = |c: char| "ukhGHpPSDIWeb".contains(c);
    match name.rsplit_once('/') {
        Some((before, behind)) if behind.trim_start_matches(':').chars().all(is_modifier) => {
            name.get(..=before.len()).unwrap_or(name)
        }
        Some(_) => name,
        None => match name.rsplit_once(':') {
            Some((before, behind)) if behind.chars().all(is_modifier) => before,
            _ => name,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::is_called;

    #[test]
    fn an_event_matches_with_or_without_modifiers_and_pmu() {
        for (name, yes, no) in [
            ("cycles", &["cycles"][..], &["cycles:u", "cycle"][..]),
            ("cycles:ppp", &["cycles", "cycles:ppp"], &["cycles:u"]),
            (
                "cpu_core/cycles/",
                &["cycles", "cpu_core/cycles/"],
                &["cpu_core", "cpu_atom/cycles/"],
            ),
            (
                "cpu_core/cycles/Pu",
                &["cycles", "cpu_core/cycles/", "cpu_core/cycles/Pu"],
                &["cpu_core/cycles/u"],
            ),
            (
                "cpu/event=0x3c,umask=0x1/:u",
                &["event=0x3c,umask=0x1", "cpu/event=0x3c,umask=0x1/"],
                &["event=0x3c"],
            ),
            (
                "sched:sched_switch",
                &["sched:sched_switch"],
                &["sched", "sched_switch"],
            ),
        ] {
            for wanted in yes {
                assert!(is_called(name, wanted), "{name} by {wanted}");
            }
            for wanted in no {
                assert!(!is_called(name, wanted), "{name} by {wanted}");
            }
        }
    }
}
