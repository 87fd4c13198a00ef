//! Small profiles whose answers can be counted by hand.

mod filters;
mod function_shares;
mod modules_of_both;
mod tables;

use backsight_profile::{
    Location, LocationIdx, Process, ProcessIdx, Profile, ProfileFrame, Sample, Thread, ThreadIdx,
    ValueType,
};
use backsight_types::{AddrKind, Module, ModuleIdx, Reason};

use crate::{Inlines, ReportTable, RowKind};

/// Builds a profile of stacks: names from the outermost to the innermost, inlined ones behind `+`,
/// kernel functions behind `k:`; `?` has no name. Each has a thread, a time and a value.
fn profile(stacks: &[(&str, u32, u64, i64)]) -> Profile {
    let mut profile = Profile::default();
    let [kind, unit] = ["samples", "count"].map(|text| profile.strings.intern(text));
    profile.sample_types.push(ValueType { kind, unit });
    for path in ["/bin/app", "[kernel.kallsyms]", "/bin/app"] {
        profile.modules.push(Module::default().with_path(path));
    }
    for (pid, name) in [(10, "app"), (20, "other")] {
        let name = Some(profile.strings.intern(name));
        profile.processes.push(Process {
            pid,
            name,
            ..Process::default()
        });
    }
    for (process, tid) in [(0, 10), (0, 11), (1, 20)] {
        profile.threads.push(Thread {
            process: ProcessIdx(process),
            tid: Some(tid),
            name: None,
        });
    }
    for (stack, thread, time, value) in stacks {
        let locations: Vec<LocationIdx> = stack
            .split_whitespace()
            .map(|names| location(&mut profile, names))
            .collect();
        let sample = Sample {
            thread: Some(ThreadIdx(*thread)),
            time_ns: Some(*time),
            stack: profile.stacks.intern(locations),
            first_type: 0,
        };
        profile.samples.push(sample, &[*value], &[]);
    }
    profile
}

fn location(profile: &mut Profile, names: &str) -> LocationIdx {
    let (names, kind, module) = match names.strip_prefix("k:") {
        Some(names) => (names, AddrKind::Kernel, ModuleIdx(1)),
        // The third module has the path of the first.
        None => (
            names,
            AddrKind::File,
            ModuleIdx(2 * u32::from(names.len() > 4)),
        ),
    };
    let is_unknown = names == "?";
    let frames: Vec<ProfileFrame> = names
        .rsplit('+')
        .filter(|_| !is_unknown)
        .map(|name| ProfileFrame {
            function: Some(profile.strings.intern(name)),
            ..ProfileFrame::default()
        })
        .collect();
    let location = Location {
        kind: Some(kind),
        module: Some(module),
        reason: is_unknown.then_some(Reason::NoSymbols),
        frames: profile.add_frames(frames).unwrap(),
        ..Location::default()
    };
    profile.add_location(location).unwrap()
}

fn rows(profile: &Profile, by: RowKind, inlines: Inlines) -> Vec<(String, i64, i64)> {
    let table = ReportTable::of(profile, 0, by, inlines);
    let row =
        |row: &crate::ReportRow| (row.entry.name(profile, by).into_owned(), row.own, row.total);
    table.rows.iter().map(row).collect()
}

fn row(name: &str, own: i64, total: i64) -> (String, i64, i64) {
    (name.to_owned(), own, total)
}
