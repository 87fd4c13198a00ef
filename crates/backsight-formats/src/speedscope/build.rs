//! Makes a profile of a file that was read.

use std::collections::HashMap;

use backsight_profile::{
    LocationIdx, Process, ProcessIdx, Profile, Sample, StrIdx, Thread, ThreadIdx, ValueType,
};

use super::events::{Interval, intervals};
use super::names::{NO_THREAD, parsed, without_value};
use super::text::{ProfileKind, SpeedscopeFile, SpeedscopeProfile};
use super::units::Unit;
use crate::flaws::Flaws;
use crate::json_number::Number;
use crate::protobuf::{Error, MemoryBudget};

/// The memory of a node in the tree of stacks, including its entry in the hash table.
const NODE: usize = 24;

/// The memory of a sample with one value.
const SAMPLE: usize = 72;

/// The units of the values for each number of decimal places.
const FRACTIONS: [&str; 10] = [
    "count", "1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6", "1e-7", "1e-8", "1e-9",
];

const ROUNDED: &str = "values that were rounded";
const SCALED: &str = "values, some with decimal places: all are whole numbers of a fraction, which is the unit (1e-3: thousandths)";

/// Makes the profile, and hands on the counts of what was wrong.
pub(super) fn profile(file: SpeedscopeFile) -> Result<(Profile, Flaws), Error> {
    let text = |at: Option<StrIdx>| file.profile.strings.get(at?);
    let exporter = text(file.exporter).unwrap_or_default();
    let is_ours = exporter.starts_with("backsight ");
    let has_values = is_ours && exporter.ends_with("(all values)");
    let SpeedscopeFile {
        mut profile,
        mut flaws,
        budget,
        mut profiles,
        name,
        active,
        ..
    } = file;
    profiles.retain(|read| {
        if read.kind.is_none() {
            flaws.count("profiles that are neither sampled nor evented");
        }
        read.kind.is_some()
    });
    if is_ours {
        // Our lines are those in which functions start.
        for frame in &mut profile.frames {
            frame.start_line = frame.line.take();
            frame.column = None;
        }
    }
    let places = places(&profiles);
    let value_of = |read: &SpeedscopeProfile, profile: &Profile| -> Option<String> {
        let name = profile.strings.get(read.name?).filter(|_| has_values)?;
        without_value(name).1.map(str::to_owned)
    };
    let mut kinds: Vec<(Option<String>, Unit)> = Vec::new();
    let mut kind_of_profile = Vec::new();
    for read in &profiles {
        let value = value_of(read, &profile);
        let is_known =
            |(kind, unit): &(Option<String>, Unit)| *kind == value && unit.is_like(read.unit);
        let at = kinds.iter().position(is_known);
        kind_of_profile.push(at.unwrap_or(kinds.len()));
        if at.is_none() {
            kinds.push((value, read.unit));
        }
    }
    for (value, unit) in &kinds {
        let (kind, mut of) = unit.value_type();
        if *unit == Unit::None {
            of = FRACTIONS.get(places).copied().unwrap_or(of);
        }
        let kind = match (value, name.filter(|_| is_ours && kinds.len() == 1)) {
            (Some(value), _) => profile.strings.intern(value),
            (None, Some(name)) => name,
            (None, None) => profile.strings.intern(kind),
        };
        let unit = profile.strings.intern(of);
        profile.sample_types.push(ValueType { kind, unit });
    }
    let active = active.and_then(|at| usize::try_from(at.times(1).0).ok());
    let shown = active.and_then(|at| kind_of_profile.get(at).copied());
    profile.default_type = shown
        .filter(|shown| *shown > 0)
        .and_then(|shown| u32::try_from(shown).ok());
    let mut builder = Builder {
        profile,
        flaws,
        budget,
        group: name.filter(|_| !is_ours),
        is_ours,
        has_values,
        ours: HashMap::new(),
        rounded: 0,
    };
    for (nth, (read, kind)) in profiles.iter().zip(kind_of_profile).enumerate() {
        let first_type = u32::try_from(kind).ok();
        let factor = match read.unit {
            Unit::None => 10_i64.saturating_pow(u32::try_from(places).unwrap_or_default()),
            Unit::Bytes => 1,
            Unit::Time(factor) => factor,
        };
        let thread = builder.add(read, first_type.unwrap_or_default(), factor)?;
        if active == Some(nth) {
            builder.profile.default_thread = thread;
        }
    }
    let Builder {
        profile,
        mut flaws,
        rounded,
        ..
    } = builder;
    if rounded > 0 {
        flaws.change(ROUNDED, rounded);
    }
    if places > 0 {
        let count = u64::try_from(profile.samples.len()).unwrap_or(u64::MAX);
        flaws.change(SCALED, count);
    }
    Ok((profile, flaws))
}

/// Returns how many decimal places of the values without a unit are kept: at most nine, and so many
/// that their sum fits.
fn places(profiles: &[SpeedscopeProfile]) -> usize {
    let counts = || {
        let counts = profiles.iter().filter(|read| read.unit == Unit::None);
        counts.flat_map(|read| {
            let events = read.events.iter().map(|event| event.at);
            read.weights.iter().copied().chain(events)
        })
    };
    let sum: f64 = counts().map(|number| number.as_float().abs()).sum();
    let mut places = counts()
        .map(Number::places)
        .max()
        .unwrap_or_default()
        .min(9);
    let fits = |places: usize| {
        let power = i32::try_from(places).unwrap_or_default();
        sum * 10_f64.powi(power) < 9.2e18
    };
    while places > 0 && !fits(places) {
        places = places.saturating_sub(1);
    }
    places
}

/// What tells threads apart.
type ThreadKey = (ProcessIdx, Option<u32>, Option<StrIdx>);

struct Builder {
    profile: Profile,
    flaws: Flaws,
    budget: MemoryBudget,
    /// The name of the whole file.
    group: Option<StrIdx>,
    is_ours: bool,
    /// Whether names of profiles end with those of values.
    has_values: bool,
    /// The threads so far, of a file of ours.
    ours: HashMap<ThreadKey, ThreadIdx>,
    rounded: u64,
}

impl Builder {
    /// Adds the samples of a profile. Returns its thread.
    fn add(
        &mut self,
        read: &SpeedscopeProfile,
        first_type: u32,
        factor: i64,
    ) -> Result<Option<ThreadIdx>, Error> {
        let thread = self.thread(read.name)?;
        let sample = Sample {
            thread,
            first_type,
            ..Sample::default()
        };
        match read.kind {
            Some(ProfileKind::Evented) => self.events(read, sample, factor)?,
            _ => self.samples(read, sample, factor)?,
        }
        Ok(thread)
    }

    fn samples(
        &mut self,
        read: &SpeedscopeProfile,
        sample: Sample,
        factor: i64,
    ) -> Result<(), Error> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (stacks, weights) = (read.ends.len(), read.weights.len());
        let missing = count(stacks.saturating_sub(weights));
        self.flaws.count_many("samples without a weight", missing);
        let missing = count(weights.saturating_sub(stacks));
        self.flaws.count_many("weights without a sample", missing);
        let mut start = 0;
        for (end, weight) in read.ends.iter().zip(&read.weights) {
            let frames = read.stacks.get(start..*end).unwrap_or_default();
            start = *end;
            let nodes = self.profile.stacks.len();
            let mut stack = None;
            for frame in frames {
                let location = LocationIdx(*frame);
                if self.profile.location(location).is_none() {
                    self.flaws
                        .count("frames that the list of frames does not have");
                    continue;
                }
                stack = Some(self.profile.stacks.call(stack, location));
            }
            let nodes = self.profile.stacks.len().saturating_sub(nodes);
            self.budget
                .take(nodes.saturating_mul(NODE).saturating_add(SAMPLE))?;
            let (value, is_rounded) = weight.times(factor);
            self.rounded = self.rounded.saturating_add(is_rounded.into());
            let sample = Sample { stack, ..sample };
            self.profile.samples.push(sample, &[value], &[]);
        }
        Ok(())
    }

    fn events(
        &mut self,
        read: &SpeedscopeProfile,
        sample: Sample,
        factor: i64,
    ) -> Result<(), Error> {
        // Each event adds at most one node and one sample.
        let most = NODE.saturating_add(SAMPLE);
        self.budget.take(read.events.len().saturating_mul(most))?;
        self.budget.take_rows::<u32>(self.profile.locations.len())?;
        let has_time = matches!(read.unit, Unit::Time(_));
        let rounded = &mut self.rounded;
        let mut whole = |number: Number| {
            let (value, is_rounded) = number.times(factor);
            *rounded = rounded.saturating_add(is_rounded.into());
            value
        };
        let end = read.end.map(&mut whole);
        let add = |profile: &mut Profile, of: Interval| {
            let time_ns = u64::try_from(of.start).ok().filter(|_| has_time);
            let sample = Sample {
                stack: Some(of.stack),
                time_ns,
                ..sample
            };
            profile.samples.push(sample, &[of.length], &[]);
            Ok(())
        };
        let time = |event: &super::text::FrameEvent| whole(event.at);
        intervals(
            &read.events,
            end,
            time,
            &mut self.profile,
            &mut self.flaws,
            add,
        )
    }

    /// Adds the thread of a profile.
    fn thread(&mut self, name: Option<StrIdx>) -> Result<Option<ThreadIdx>, Error> {
        let profile = &mut self.profile;
        let text = name.and_then(|at| profile.strings.get(at).map(str::to_owned));
        let ours = text.as_deref().filter(|_| self.is_ours);
        let ours = ours.map(|name| match self.has_values {
            true => without_value(name).0,
            false => name,
        });
        if ours == Some(NO_THREAD) {
            return Ok(None);
        }
        let (process, tid, thread) = match ours.and_then(parsed) {
            Some(known) => {
                let mut of = |text: &str| (!text.is_empty()).then(|| profile.strings.intern(text));
                let (name, thread) = (of(known.process), of(known.thread));
                ((known.pid, name), known.tid, thread)
            }
            None => ((0, self.group.or(name)), None, name),
        };
        if process.1.is_none() && ours.is_none() {
            return Ok(None);
        }
        self.budget.take_rows::<(Process, Thread)>(1)?;
        let (pid, name) = process;
        // The processes of a file are few or as many as its profiles; then each is the last one.
        let known = (profile.processes.iter().rev().take(64))
            .position(|known| (known.pid, known.name) == process);
        let known = known.and_then(|back| {
            let last = profile.processes.len().checked_sub(1)?;
            Some(ProcessIdx(u32::try_from(last.checked_sub(back)?).ok()?))
        });
        let process = match known {
            Some(known) => known,
            None => {
                let Some(new) = ProcessIdx::behind(profile.processes.len()) else {
                    return Ok(None);
                };
                let process = Process {
                    pid,
                    name,
                    ..Process::default()
                };
                profile.processes.push(process);
                new
            }
        };
        // One thread may have a profile for each value.
        let key = (process, tid, thread);
        if self.has_values
            && let Some(known) = self.ours.get(&key)
        {
            return Ok(Some(*known));
        }
        let index = ThreadIdx::behind(profile.threads.len());
        profile.threads.push(Thread {
            process,
            tid,
            name: thread,
        });
        self.ours.extend(Some(key).zip(index));
        Ok(index)
    }
}
