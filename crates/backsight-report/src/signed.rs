//! Two profiles as one: what was before counts as negative, or both have a value of their own.

use backsight_profile::{
    FrameRange, Label, LabelValue, Location, LocationIdx, Process, ProcessIdx, Profile,
    ProfileFrame, Sample, StackIdx, StrIdx, Strings, Thread, ThreadIdx, ValueType,
};
use backsight_types::ModuleIdx;

use crate::same_modules::SameModules;

/// The label that `pprof` gives the samples of a profile that others are compared with. It takes
/// shares of their sum.
const BASE: (&str, &str) = ("pprof::base", "true");

/// Returns a profile with the samples of both: those of `after` as they are, and those of `before`
/// times `scale`, negative, with the label `pprof::base`, as `pprof -diff_base` has them. Each
/// profile has one value, given by the index of its sample type; the result has that of `after`.
///
/// Samples that differ only in time are summed. The tables are those of both, one after the other.
#[must_use]
pub fn signed_difference(before: (&Profile, u32), after: (&Profile, u32), scale: f64) -> Profile {
    let (first, value) = after;
    let mut joined = Joined {
        profile: Profile {
            start_ns: first.start_ns,
            duration_ns: first.duration_ns,
            ..Profile::default()
        },
    };
    let type_of = usize::try_from(value).ok();
    let type_of = type_of.and_then(|at| first.sample_types.get(at));
    let [kind, unit] = match type_of {
        Some(of) => [of.kind, of.unit].map(|at| joined.text(&first.strings, at)),
        None => ["samples", "count"].map(|text| joined.profile.strings.intern(text)),
    };
    joined.profile.sample_types.push(ValueType { kind, unit });
    for comment in &first.comments {
        let comment = joined.text(&first.strings, *comment);
        joined.profile.comments.push(comment);
    }
    joined.add(after, |value| value, Side::OfTasks);
    joined.add(before, |value| negative(value, scale), Side::Base);
    joined.profile
}

/// Returns a profile with the samples of both, which has two values: `before` and `after`, with the
/// unit of `after`. Each profile has one value, given by the index of its sample type.
///
/// Stacks of one function in the same module are the same in both: see
/// [`Difference::of`](crate::Difference::of), also for profiles without modules. Samples that differ only in
/// time or thread are summed: threads of two runs are not the same.
#[must_use]
pub fn side_by_side(before: (&Profile, u32), after: (&Profile, u32)) -> Profile {
    let mut joined = Joined::default();
    let (last, value) = after;
    let type_of = usize::try_from(value).ok();
    let type_of = type_of.and_then(|at| last.sample_types.get(at));
    let unit = match type_of {
        Some(of) => joined.text(&last.strings, of.unit),
        None => joined.profile.strings.intern("count"),
    };
    for kind in ["before", "after"] {
        let kind = joined.profile.strings.intern(kind);
        joined.profile.sample_types.push(ValueType { kind, unit });
    }
    joined.add(before, |value| value, Side::OfType(0));
    let same = SameModules::of(before.0, after.0);
    for module in &mut joined.profile.modules {
        module.path = same.after(&module.path).to_vec();
    }
    joined.add(after, |value| value, Side::OfType(1));
    if !same.are_known() {
        for location in &mut joined.profile.locations {
            location.module = None;
        }
    }
    joined.profile
}

/// What the samples of one of the profiles are in the one of both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Samples of threads.
    OfTasks,
    /// The same, with the label of a base.
    Base,
    /// Values of this type, without threads.
    OfType(u32),
}

/// Converts a value from before.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a value that is scaled is rounded, and ends at the ends of the range"
)]
fn negative(value: i64, scale: f64) -> i64 {
    // Unscaled values stay exact.
    match (scale - 1.0).abs() < f64::EPSILON {
        true => value.saturating_neg(),
        false => (value as f64 * -scale).round() as i64,
    }
}

#[derive(Default)]
struct Joined {
    profile: Profile,
}

/// Where the tables of a profile start in those of both.
#[derive(Clone, Copy)]
struct Starts {
    modules: usize,
    processes: usize,
    threads: usize,
    locations: usize,
}

impl Starts {
    fn process(self, at: ProcessIdx) -> Option<ProcessIdx> {
        ProcessIdx::behind(self.processes.checked_add(at.as_usize())?)
    }

    fn module(self, at: ModuleIdx) -> Option<ModuleIdx> {
        let at = self.modules.checked_add(at.as_usize())?;
        Some(ModuleIdx(u32::try_from(at).ok()?))
    }
}

impl Joined {
    fn text(&mut self, strings: &Strings, at: StrIdx) -> StrIdx {
        self.profile
            .strings
            .intern(strings.get(at).unwrap_or_default())
    }

    fn add(&mut self, (from, value): (&Profile, u32), convert: impl Fn(i64) -> i64, side: Side) {
        let starts = Starts {
            modules: self.profile.modules.len(),
            processes: self.profile.processes.len(),
            threads: self.profile.threads.len(),
            locations: self.profile.locations.len(),
        };
        self.tables(from, starts);
        // A node follows that of its caller.
        let mut stacks: Vec<Option<StackIdx>> = Vec::with_capacity(from.stacks.len());
        for at in 0..from.stacks.len() {
            let node = u32::try_from(at).ok().map(StackIdx);
            let node = node.and_then(|node| from.stacks.get(node));
            stacks.push(node.and_then(|(location, caller)| {
                let caller = caller.and_then(|caller| *stacks.get(index(caller.0))?);
                let location = starts.locations.checked_add(location.as_usize())?;
                let location = LocationIdx::behind(location)?;
                Some(self.profile.stacks.call(caller, location))
            }));
        }
        let base = (side == Side::Base).then(|| {
            let [key, text] = [BASE.0, BASE.1].map(|text| self.profile.strings.intern(text));
            Label {
                key,
                value: LabelValue::Text(text),
            }
        });
        for (sample, values, labels) in from.samples.iter() {
            let at = value.checked_sub(sample.first_type).map(index);
            let Some(amount) = at.and_then(|at| values.get(at)) else {
                continue;
            };
            let (first_type, has_tasks) = match side {
                Side::OfTasks | Side::Base => (0, true),
                Side::OfType(at) => (at, false),
            };
            let labels = if has_tasks { labels } else { &[] };
            let mut own: Vec<Label> = Vec::with_capacity(labels.len().saturating_add(1));
            for label in labels {
                let key = self.text(&from.strings, label.key);
                let value = match label.value {
                    LabelValue::Text(text) => LabelValue::Text(self.text(&from.strings, text)),
                    LabelValue::Number(number, unit) => {
                        let unit = unit.map(|unit| self.text(&from.strings, unit));
                        LabelValue::Number(number, unit)
                    }
                };
                own.push(Label { key, value });
            }
            own.extend(base);
            let thread = sample.thread.filter(|_| has_tasks);
            let thread = thread.and_then(|thread| {
                ThreadIdx::behind(starts.threads.checked_add(thread.as_usize())?)
            });
            let sample = Sample {
                thread,
                time_ns: None,
                stack: sample.stack.and_then(|stack| *stacks.get(index(stack.0))?),
                first_type,
            };
            let amount = convert(*amount);
            if amount != 0 {
                self.profile.samples.sum(sample, &[amount], &own);
            }
        }
    }

    fn tables(&mut self, from: &Profile, starts: Starts) {
        let strings = &from.strings;
        self.profile.modules.extend(from.modules.iter().cloned());
        for process in &from.processes {
            let name = process.name.map(|name| self.text(strings, name));
            self.profile.processes.push(Process { name, ..*process });
        }
        for thread in &from.threads {
            let name = thread.name.map(|name| self.text(strings, name));
            let process = starts.process(thread.process).unwrap_or(thread.process);
            let thread = Thread {
                process,
                name,
                ..*thread
            };
            self.profile.threads.push(thread);
        }
        for mapping in &from.mappings {
            let mut mapping = mapping.clone();
            mapping.process = mapping.process.and_then(|at| starts.process(at));
            mapping.module = mapping.module.and_then(|at| starts.module(at));
            self.profile.mappings.push(mapping);
        }
        for location in &from.locations {
            let mut frames: Vec<ProfileFrame> = Vec::new();
            for frame in from.frames_of(location) {
                let mut text = |at: Option<StrIdx>| at.map(|at| self.text(strings, at));
                frames.push(ProfileFrame {
                    function: text(frame.function),
                    linkage_name: text(frame.linkage_name),
                    file: text(frame.file),
                    ..*frame
                });
            }
            let frames = match frames.is_empty() {
                true => Some(FrameRange::default()),
                false => self.profile.add_frames(frames),
            };
            let location = Location {
                module: location.module.and_then(|at| starts.module(at)),
                frames: frames.unwrap_or_default(),
                ..*location
            };
            self.profile.locations.push(location);
        }
    }
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
