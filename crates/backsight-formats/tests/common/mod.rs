//! Random profiles, and a description of a profile that does not depend on the order of its tables.

#![allow(dead_code, reason = "each test file uses its part")]

use backsight_profile::{
    Label, LabelValue, Location, LocationIdx, Mapping, Process, ProcessIdx, Profile, ProfileFrame,
    Sample, StrIdx, Thread, ThreadIdx, ValueType,
};
use backsight_types::{
    AbsAddr, AbsRange, AddrKind, BuildId, Device, FileOffset, Lookup, Module, ModuleIdx,
    ModuleKind, Perms, Reason, Segment, Segments, VirtOffset,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

/// Ordinary names, and names that are hard to escape.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:<>_]{1,8}",
        any::<String>(),
        prop::sample::select(vec![
            "a;b",
            "a\nb",
            "a b 7",
            "\\",
            "\"",
            "<script>&amp;",
            "\u{1b}]0;x\u{7}",
            "\u{202e}",
            "",
            " ",
            "[kernel]",
            "x_[i]",
        ])
        .prop_map(str::to_owned),
    ]
}

prop_compose! {
    pub(crate) fn module()(
        kind in prop::sample::select(vec![
            ModuleKind::File, ModuleKind::Vdso, ModuleKind::Kernel, ModuleKind::Anonymous,
        ]),
        path in prop_oneof![name().prop_map(String::into_bytes), any::<Vec<u8>>()],
        deleted: bool,
        (major, minor, inode) in any::<(u32, u32, u64)>(),
        build_id in option::of(prop::collection::vec(any::<u8>(), 1..=20)),
        segment in option::of(any::<(u64, u64, u64)>()),
    ) -> Module {
        let segment = segment.map(|(file, virt, size)| Segment {
            flags: Perms::EXECUTE,
            file_offset: FileOffset(file),
            virt_offset: VirtOffset(virt),
            file_size: size,
            memory_size: size,
        });
        Module::default().with_kind(kind).with_path(path).with_deleted(deleted).with_device(Device { major, minor }).with_inode(inode).with_build_id(build_id.map(|raw| BuildId::from_bytes(&raw).unwrap())).with_segments(segment.map(|segment| Segments::new(vec![segment])))
    }
}

type Names = [Option<String>; 3];
type Numbers = [Option<u32>; 3];

fn frame() -> impl Strategy<Value = (Names, Numbers, bool, Option<u64>)> {
    let names = [option::of(name()), option::of(name()), option::of(name())];
    (names, any::<Numbers>(), any::<bool>(), any::<Option<u64>>())
}

/// A location, its module and its frames.
type Place = (
    Location,
    Option<Index>,
    Vec<(Names, Numbers, bool, Option<u64>)>,
);

fn place() -> impl Strategy<Value = Place> {
    let kinds = [
        AddrKind::File,
        AddrKind::Vdso,
        AddrKind::Anonymous,
        AddrKind::Kernel,
    ];
    let location = (
        any::<[Option<u64>; 3]>(),
        any::<bool>(),
        option::of(prop::sample::select(kinds.to_vec())),
        option::of(prop::sample::select(&Reason::ALL[..])),
    );
    let location = location.prop_map(|([address, file, virt], returns, kind, reason)| Location {
        address: address.map(AbsAddr),
        lookup: if returns {
            Lookup::Return
        } else {
            Lookup::Exact
        },
        kind,
        module: None,
        file_offset: file.map(FileOffset),
        virt_offset: virt.map(VirtOffset),
        reason,
        frames: Default::default(),
    });
    (
        location,
        any::<Option<Index>>(),
        prop::collection::vec(frame(), 0..3),
    )
}

/// Threads: their process, ID and name.
type Who = Vec<(Index, Option<u32>, Option<String>)>;

/// A sample: thread, time, stack, first type, values, labels.
type What = (
    Option<Index>,
    Option<u64>,
    Vec<Index>,
    Vec<i64>,
    Vec<(String, Result<String, (i64, Option<String>)>)>,
);

fn what() -> impl Strategy<Value = What> {
    let value = prop_oneof![
        name().prop_map(Ok),
        (any::<i64>(), option::of(name())).prop_map(Err)
    ];
    (
        any::<Option<Index>>(),
        any::<Option<u64>>(),
        prop::collection::vec(any::<Index>(), 0..6),
        prop::collection::vec(any::<i64>(), 0..3),
        prop::collection::vec((name(), value), 0..2),
    )
}

/// A random profile whose indices are all valid.
pub(crate) fn profile() -> impl Strategy<Value = Profile> {
    let about = (
        prop::collection::vec((name(), name()), 1..3),
        option::of((name(), name(), any::<i64>())),
        any::<[Option<u64>; 2]>(),
        prop::collection::vec(name(), 0..2),
    );
    let processes = prop::collection::vec(
        (0_u32..4, option::of(name()), any::<[Option<u64>; 2]>()),
        1..4,
    );
    let threads = prop::collection::vec(
        (any::<Index>(), any::<Option<u32>>(), option::of(name())),
        0..4,
    );
    let modules = prop::collection::vec(module(), 0..4);
    let mappings = prop::collection::vec(
        (
            any::<[Option<Index>; 2]>(),
            any::<(u64, u64, u64)>(),
            0_u8..16,
            any::<Option<u64>>(),
        ),
        0..4,
    );
    let places = prop::collection::vec(place(), 1..8);
    let samples = prop::collection::vec(what(), 0..8);
    (
        about, processes, threads, modules, mappings, places, samples,
    )
        .prop_map(
            |(about, processes, threads, modules, mappings, places, samples)| {
                let mut profile = Profile::default();
                let (types, period, [start_ns, duration_ns], comments) = about;
                let strings = &mut profile.strings;
                for (kind, unit) in types {
                    profile.sample_types.push(ValueType {
                        kind: strings.intern(&kind),
                        unit: strings.intern(&unit),
                    });
                }
                profile.period = period.map(|(kind, unit, value)| {
                    let kind = strings.intern(&kind);
                    let unit = strings.intern(&unit);
                    (ValueType { kind, unit }, value)
                });
                (profile.start_ns, profile.duration_ns) = (start_ns, duration_ns);
                profile.default_type = start_ns.map(|number| u32::try_from(number % 2).unwrap());
                profile.comments = comments.iter().map(|text| strings.intern(text)).collect();
                for (pid, name, [start_ns, end_ns]) in processes {
                    let name = name.map(|name| strings.intern(&name));
                    profile.processes.push(Process {
                        pid,
                        name,
                        start_ns,
                        end_ns,
                    });
                }
                add_threads(&mut profile, threads);
                profile.modules = modules;
                let module = |at: Option<Index>, profile: &Profile| {
                    let count = profile.modules.len();
                    at.filter(|_| count > 0)
                        .map(|at| ModuleIdx(at.index(count).try_into().unwrap()))
                };
                for ([process, of], (start, size, offset), bits, start_ns) in mappings {
                    let process = process.map(|at| at.index(profile.processes.len()));
                    profile.mappings.push(Mapping {
                        process: process.map(|at| ProcessIdx(at.try_into().unwrap())),
                        range: AbsRange::new(AbsAddr(start), AbsAddr(start.saturating_add(size)))
                            .unwrap(),
                        file_offset: FileOffset(offset),
                        perms: Perms::from_bits(bits),
                        module: module(of, &profile),
                        start_ns,
                    });
                }
                for (location, of, frames) in places {
                    let module = module(of, &profile);
                    let strings = &mut profile.strings;
                    let mut name = |text: Option<String>| text.map(|text| strings.intern(&text));
                    let frames: Vec<ProfileFrame> = frames
                        .into_iter()
                        .map(
                            |(
                                [function, linkage, file],
                                [line, column, start_line],
                                inlined,
                                start,
                            )| {
                                ProfileFrame {
                                    function: name(function),
                                    linkage_name: name(linkage),
                                    file: name(file),
                                    line,
                                    column,
                                    start_line,
                                    inlined,
                                    start: start.map(VirtOffset),
                                    start_file_offset: start.map(FileOffset),
                                }
                            },
                        )
                        .collect();
                    let frames = match frames.is_empty() {
                        true => Default::default(),
                        false => profile.add_frames(frames).unwrap(),
                    };
                    profile.add_location(Location {
                        module,
                        frames,
                        ..location
                    });
                }
                add_samples(&mut profile, samples);
                profile
            },
        )
}

fn add_threads(profile: &mut Profile, threads: Who) {
    for (process, tid, name) in threads {
        let process = process.index(profile.processes.len());
        profile.threads.push(Thread {
            process: ProcessIdx(process.try_into().unwrap()),
            tid,
            name: name.map(|name| profile.strings.intern(&name)),
        });
    }
}

fn add_samples(profile: &mut Profile, samples: Vec<What>) {
    for (thread, time_ns, stack, values, labels) in samples {
        let count = profile.threads.len();
        let thread = thread.filter(|_| count > 0).map(|at| at.index(count));
        let of = |at: Index| LocationIdx(at.index(profile.locations.len()).try_into().unwrap());
        let stack = profile.stacks.intern(stack.into_iter().map(of));
        let types = profile.sample_types.len();
        let values: Vec<i64> = values.into_iter().take(types).collect();
        let strings = &mut profile.strings;
        let labels: Vec<Label> = labels
            .into_iter()
            .map(|(key, value)| Label {
                key: strings.intern(&key),
                value: match value {
                    Ok(text) => LabelValue::Text(strings.intern(&text)),
                    Err((number, unit)) => {
                        LabelValue::Number(number, unit.map(|unit| strings.intern(&unit)))
                    }
                },
            })
            .collect();
        let sample = Sample {
            thread: thread.map(|at| ThreadIdx(at.try_into().unwrap())),
            time_ns,
            stack,
            first_type: u32::try_from(types - values.len()).unwrap(),
        };
        profile.samples.push(sample, &values, &labels);
    }
}

/// Describes everything in a profile, with strings in place of indices. Two profiles that differ
/// only in the order of their strings, frames and stacks have the same description.
pub(crate) fn said(profile: &Profile) -> Vec<String> {
    let name = |at: StrIdx| profile.strings.get(at).expect("it is there").to_owned();
    let names = |at: Option<StrIdx>| at.map(name);
    let value_type = |of: &ValueType| (name(of.kind), name(of.unit));
    let mut said = vec![format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        profile
            .sample_types
            .iter()
            .map(value_type)
            .collect::<Vec<_>>(),
        profile.period.map(|(of, value)| (value_type(&of), value)),
        profile.default_type,
        profile.start_ns,
        profile.duration_ns,
        profile
            .comments
            .iter()
            .map(|at| name(*at))
            .collect::<Vec<_>>(),
    )];
    for process in &profile.processes {
        said.push(format!(
            "{} {:?} {:?} {:?}",
            process.pid,
            names(process.name),
            process.start_ns,
            process.end_ns
        ));
    }
    for thread in &profile.threads {
        said.push(format!(
            "{:?} {:?} {:?}",
            thread.process,
            thread.tid,
            names(thread.name)
        ));
    }
    said.extend(profile.modules.iter().map(|module| format!("{module:?}")));
    said.extend(
        profile
            .mappings
            .iter()
            .map(|mapping| format!("{mapping:?}")),
    );
    for location in &profile.locations {
        let frames = profile.frames_of(location).iter().map(|frame| {
            let plain = ProfileFrame {
                function: None,
                linkage_name: None,
                file: None,
                ..*frame
            };
            let texts = [frame.function, frame.linkage_name, frame.file].map(names);
            format!("{texts:?} {plain:?}")
        });
        let frames: Vec<String> = frames.collect();
        let plain = Location {
            frames: Default::default(),
            ..*location
        };
        said.push(format!("{plain:?} {frames:?}"));
    }
    for (sample, values, labels) in profile.samples.iter() {
        let stack: Vec<LocationIdx> = profile.stacks.iter(sample.stack).collect();
        let labels: Vec<_> = labels
            .iter()
            .map(|label| match label.value {
                LabelValue::Text(text) => format!("{:?} {:?}", name(label.key), name(text)),
                LabelValue::Number(number, unit) => {
                    format!("{:?} {number} {:?}", name(label.key), names(unit))
                }
            })
            .collect();
        let plain = Sample {
            stack: None,
            ..sample
        };
        said.push(format!("{plain:?} {stack:?} {values:?} {labels:?}"));
    }
    said
}
