//! Random profiles that use everything that a profile can contain.

use backsight_profile::{
    Label, LabelValue, Location, Mapping, Process, ProcessIdx, Profile, ProfileFrame, Sample,
    StackIdx, Thread, ThreadIdx, ValueType,
};
use backsight_types::{
    AbsAddr, AbsRange, BuildId, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Perms, Reason,
    VirtOffset,
};
use proptest::prelude::*;

/// Names with all characters that writers have to escape.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:<>]{1,12}",
        "[\n\r\t\"'<>&;\\\\%\u{1b}\u{7f}\u{202e}ä\u{0} -~]{1,8}",
        Just("]]>\u{1b}[31m;\n".to_owned()),
    ]
}

/// A module: its kind, name, the distance to virtual offsets if they are known, its build ID, and
/// its mapped pages.
type MadeModule = (
    ModuleKind,
    String,
    Option<u64>,
    Option<[u8; 20]>,
    Vec<(u64, u64)>,
);

fn module() -> impl Strategy<Value = MadeModule> {
    let kind = prop_oneof![
        3 => Just(ModuleKind::File),
        1 => Just(ModuleKind::Vdso),
        1 => Just(ModuleKind::Kernel),
        1 => Just(ModuleKind::Anonymous),
    ];
    let bias = prop::option::of(prop_oneof![Just(0), Just(0x1000), Just(0x40_0000)]);
    let pages = prop::collection::vec((0_u64..4, 1_u64..5), 1..4);
    (
        kind,
        name(),
        bias,
        prop::option::of(any::<[u8; 20]>()),
        pages,
    )
}

/// A location: its module and offset, whether it is a return address, and its frames.
type MadeLocation = (usize, u64, bool, Vec<MadeFrame>);
type MadeFrame = (String, Option<String>, Option<String>, u32, u32);

fn location() -> impl Strategy<Value = MadeLocation> {
    let frame = (
        name(),
        prop::option::of(name()),
        prop::option::of(name()),
        0_u32..99,
        0_u32..9,
    );
    let frames = prop::collection::vec(frame, 0..3);
    (0..8_usize, 1_u64..0x4000, any::<bool>(), frames)
}

/// A sample: its locations, thread, time, values and labels.
type MadeSample = (
    Vec<usize>,
    usize,
    Option<u64>,
    Vec<i64>,
    Vec<(String, MadeLabel)>,
);
type MadeLabel = Result<String, (i64, Option<String>)>;

fn sample() -> impl Strategy<Value = MadeSample> {
    let value = prop_oneof![
        name().prop_map(Ok),
        (any::<i64>(), prop::option::of(name())).prop_map(Err),
    ];
    (
        prop::collection::vec(0..16_usize, 0..6),
        0..4_usize,
        prop::option::of(1..1_u64 << 62),
        prop::collection::vec(any::<i64>(), 2),
        prop::collection::vec((name(), value), 0..2),
    )
}

/// Random profiles.
pub(crate) fn profiles() -> impl Strategy<Value = Profile> {
    (
        prop::collection::vec(module(), 1..4),
        prop::collection::vec(location(), 1..12),
        prop::collection::vec(sample(), 0..12),
        prop::collection::vec(
            (
                0_u32..9,
                prop::option::of(name()),
                prop::option::of(0_u32..9),
            ),
            3,
        ),
        (name(), name(), name()),
    )
        .prop_map(
            |(modules, locations, samples, threads, (unit, comment, period))| {
                let mut profile = Profile::default();
                for (at, module) in modules.iter().enumerate() {
                    add_module(&mut profile, at, module);
                }
                for location in &locations {
                    add_location(&mut profile, &modules, location);
                }
                let [unit, comment, period] =
                    [unit, comment, period].map(|text| profile.strings.intern(&text));
                profile.sample_types = ["samples", "cycles"]
                    .map(|kind| ValueType {
                        kind: profile.strings.intern(kind),
                        unit,
                    })
                    .to_vec();
                profile.default_type = Some(1);
                profile.comments.push(comment);
                profile.period = Some((ValueType { kind: period, unit }, 4001));
                (profile.start_ns, profile.duration_ns) =
                    (Some(1_700_000_000_000_000_000), Some(5));
                for (pid, name, tid) in threads {
                    add_thread(&mut profile, pid, name, tid);
                }
                for sample in &samples {
                    add_sample(&mut profile, sample);
                }
                profile
            },
        )
}

fn add_module(profile: &mut Profile, at: usize, (kind, name, _, id, pages): &MadeModule) {
    // The path gives the kind, and differs for each module.
    let path = match kind {
        ModuleKind::File => format!("/usr/lib/{at}{name}"),
        ModuleKind::Vdso => format!("[vdso{at}]"),
        ModuleKind::Kernel => format!("[{at}{name}]"),
        ModuleKind::Anonymous => format!("/tmp/perf-{at}.map"),
        other => panic!("{other:?}"),
    };
    let index = ModuleIdx(u32::try_from(at).unwrap());
    profile.modules.push(
        Module::default()
            .with_kind(*kind)
            .with_path(path.into_bytes())
            .with_deleted(at == 2)
            .with_build_id(id.map(|id| BuildId::from_bytes(&id).unwrap())),
    );
    let mut offset = 0;
    for (gap, size) in pages {
        offset += gap * 0x1000;
        let start = AbsAddr(0x7f00_0000_0000 + offset);
        let end = AbsAddr(start.0 + size * 0x1000);
        profile.mappings.push(Mapping {
            process: None,
            range: AbsRange::new(start, end).unwrap(),
            file_offset: FileOffset(offset),
            perms: Perms::READ | Perms::EXECUTE,
            module: Some(index),
            start_ns: None,
        });
        offset += size * 0x1000;
    }
}

fn add_location(profile: &mut Profile, modules: &[MadeModule], made: &MadeLocation) {
    let (module, offset, is_return, frames) = made;
    let last = frames.len().saturating_sub(1);
    let frames: Vec<ProfileFrame> = (frames.iter().enumerate())
        .map(|(at, (function, linkage, file, line, column))| {
            let mut intern = |text: &String| profile.strings.intern(text);
            let number = |number: u32| Some(number).filter(|number| *number > 0);
            let function = intern(function);
            ProfileFrame {
                function: Some(function),
                linkage_name: linkage
                    .as_ref()
                    .map(&mut intern)
                    .filter(|it| *it != function),
                file: file.as_ref().map(&mut intern),
                line: number(*line),
                column: number(*column),
                start_line: number(line / 2),
                inlined: at < last,
                start: None,
                start_file_offset: None,
            }
        })
        .collect();
    let lookup = if *is_return {
        Lookup::Return
    } else {
        Lookup::Exact
    };
    let mut location = Location {
        lookup,
        ..Location::default()
    };
    match modules.get(*module) {
        Some((_, _, bias, _, _)) => {
            location.module = Some(ModuleIdx(u32::try_from(*module).unwrap()));
            location.file_offset = Some(FileOffset(*offset));
            location.virt_offset = bias.map(|bias| VirtOffset(offset + bias));
        }
        None => {
            location.address = Some(AbsAddr(0x10_0000 + offset));
            location.reason = Some(Reason::ALL[module % Reason::ALL.len()]);
        }
    }
    location.frames = profile.add_frames(frames).unwrap();
    if location.frames.len > 0 && location.module.is_none() {
        location.reason = None;
    }
    profile.add_location(location).unwrap();
}

fn add_thread(profile: &mut Profile, pid: u32, name: Option<String>, tid: Option<u32>) {
    let name = name.map(|name| profile.strings.intern(&name));
    let process = ProcessIdx::behind(profile.processes.len()).unwrap();
    profile.processes.push(Process {
        pid,
        name,
        ..Process::default()
    });
    profile.threads.push(Thread { process, tid, name });
}

fn add_sample(profile: &mut Profile, (stack, thread, time_ns, values, labels): &MadeSample) {
    let locations = profile.locations.len();
    let stack: Option<StackIdx> = profile.stacks.intern(
        (stack.iter())
            .map(|at| backsight_profile::LocationIdx(u32::try_from(at % locations).unwrap())),
    );
    let sample = Sample {
        thread: (*thread < 3).then(|| ThreadIdx(u32::try_from(*thread).unwrap())),
        time_ns: *time_ns,
        stack,
        first_type: 0,
    };
    let labels: Vec<Label> = labels
        .iter()
        .map(|(key, value)| Label {
            key: profile.strings.intern(key),
            value: match value {
                Ok(text) => LabelValue::Text(profile.strings.intern(text)),
                Err((number, unit)) => LabelValue::Number(
                    *number,
                    unit.as_ref().map(|unit| profile.strings.intern(unit)),
                ),
            },
        })
        .collect();
    profile.samples.push(sample, values, &labels);
}
