//! Describes the samples of a profile, with strings in place of indices.

use backsight_profile::{Label, LabelValue, Location, Profile, ProfileFrame};
use backsight_types::Lookup;

/// A sample with strings in place of indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) values: Vec<i64>,
    pub(crate) time_ns: Option<u64>,
    /// Process ID and name, thread ID and name.
    pub(crate) thread: Option<(u32, String, Option<u32>, String)>,
    pub(crate) labels: Vec<String>,
    /// Innermost first.
    pub(crate) stack: Vec<String>,
}

/// Describes all samples, with or without their times.
pub(crate) fn said(profile: &Profile, times: bool) -> Vec<Said> {
    let samples = profile.samples.iter();
    let said = samples.map(|(sample, given, labels)| {
        let mut values = vec![0; profile.sample_types.len()];
        let first = usize::try_from(sample.first_type).unwrap();
        values[first..first + given.len()].copy_from_slice(given);
        let text = |index| profile.strings.get(index).unwrap();
        let name = |index: Option<_>| index.map_or("", text).to_owned();
        let label = |label: &Label| match label.value {
            LabelValue::Text(value) => format!("{}={:?}", text(label.key), text(value)),
            LabelValue::Number(number, unit) => {
                format!("{}={number} {:?}", text(label.key), name(unit))
            }
        };
        Said {
            values,
            time_ns: sample.time_ns.filter(|_| times),
            thread: sample.thread.map(|index| {
                let thread = profile.thread(index).unwrap();
                let process = profile.process(thread.process).unwrap();
                (
                    process.pid,
                    name(process.name),
                    thread.tid,
                    name(thread.name),
                )
            }),
            labels: labels.iter().map(label).collect(),
            stack: (profile.stacks.iter(sample.stack))
                .map(|index| place(profile, profile.location(index).unwrap()))
                .collect(),
        }
    });
    said.collect()
}

/// Describes a location by what formats can represent. One is subtracted from return addresses,
/// because that is where they are looked up.
fn place(profile: &Profile, location: &Location) -> String {
    let text = |index: Option<_>| index.map_or("", |index| profile.strings.get(index).unwrap());
    let back = u64::from(location.lookup == Lookup::Return);
    let module = location.module.map(|index| {
        let module = profile.module(index).unwrap();
        let id = module.build_id.map(|id| id.to_string());
        (
            module.path_lossy().into_owned(),
            module.kind,
            module.deleted,
            id,
        )
    });
    let frames: Vec<String> = (profile.frames_of(location).iter())
        .map(|frame| {
            let ProfileFrame {
                line,
                column,
                start_line,
                inlined,
                ..
            } = *frame;
            let [function, linkage, file] =
                [frame.function, frame.linkage_name, frame.file].map(text);
            format!(
                "{function:?} {linkage:?} {file:?} {line:?}:{column:?} {start_line:?} {inlined}"
            )
        })
        .collect();
    let reason = location
        .reason
        .filter(|_| module.is_none() && frames.is_empty());
    format!(
        "{module:?} {:x?} {:x?} {:x?} {reason:?} {frames:?}",
        location.file_offset.map(|at| at.0 - back),
        location.virt_offset.map(|at| at.0 - back),
        location.address.map(|at| at.0 - back),
    )
}
