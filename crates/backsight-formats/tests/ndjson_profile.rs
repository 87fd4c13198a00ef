//! Profiles as NDJSON, written at once or in pieces, and read back.

mod common;

use backsight_formats::ndjson::{Error, HeaderLine, ProfileWriter, read_profile, write_profile};
use backsight_profile::{
    Label, LabelValue, Location, Mapping, Process, ProcessIdx, Profile, ProfileFrame, Sample,
    Thread, ThreadIdx, ValueType,
};
use backsight_types::{AbsAddr, AbsRange, AddrKind, FileOffset, Lookup, Module, ModuleIdx, Perms};
use common::{profile, said};
use proptest::prelude::*;
use proptest::sample::Index;

fn written(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    write_profile(&HeaderLine::new("test"), profile, &mut out).expect("a vector takes it");
    out
}

fn read(bytes: &[u8]) -> (Profile, Vec<String>) {
    let mut malformed = Vec::new();
    let tell = |error: &Error| malformed.push(error.to_string());
    let profile = read_profile(bytes, false, tell).expect("it is read to its end");
    (profile, malformed)
}

proptest! {
    #[test]
    fn a_profile_is_read_as_it_was_written(profile in profile()) {
        let bytes = written(&profile);
        let (again, malformed) = read(&bytes);
        prop_assert_eq!(malformed, Vec::<String>::new());
        prop_assert_eq!(said(&again), said(&profile));
        prop_assert_eq!(written(&again), bytes);
    }

    #[test]
    fn samples_can_be_drained_as_they_come(mut profile in profile(), at in 0_usize..8) {
        let whole = profile.clone();
        let samples = std::mem::take(&mut profile.samples);
        let mut writer = ProfileWriter::new(&HeaderLine::new("test"), Vec::new());
        // Known only later.
        profile.duration_ns = None;
        profile.processes[0].end_ns = None;
        let last_id = profile.modules.last_mut().and_then(|module| module.build_id.take());
        for (nth, (sample, values, labels)) in samples.iter().enumerate() {
            profile.samples.push(sample, values, labels);
            if nth == at {
                writer.drain(&mut profile).unwrap();
                prop_assert!(profile.samples.is_empty());
            }
        }
        profile.duration_ns = whole.duration_ns;
        profile.processes[0].end_ns = whole.processes[0].end_ns;
        if let Some(module) = profile.modules.last_mut() {
            module.build_id = last_id;
        }
        writer.drain(&mut profile).unwrap();
        let (again, malformed) = read(&writer.into_inner());
        prop_assert_eq!(malformed, Vec::<String>::new());
        prop_assert_eq!(said(&again), said(&whole));
    }

    #[test]
    fn no_bent_profile_makes_it_panic(profile in profile(), at: Index, byte: u8) {
        let mut bytes = written(&profile);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = read_profile(bytes.as_slice(), false, |_| ());
    }
}

const GROWN: &str = include_str!("golden/profile.ndjson");

/// The spelling and order of the lines of a profile that is written in pieces.
#[test]
fn a_profile_that_grew_is_spelled_as_the_golden_file() {
    let mut profile = Profile::default();
    let [kind, unit, main, worker] =
        ["cpu-clock", "nanoseconds", "survey", "worker"].map(|text| profile.strings.intern(text));
    let value_type = ValueType { kind, unit };
    profile.sample_types.push(value_type);
    profile.period = Some((value_type, 1_000_000));
    profile.processes.push(Process {
        pid: 7,
        name: Some(main),
        start_ns: Some(1),
        end_ns: None,
    });
    profile
        .modules
        .push(Module::default().with_path(b"/usr/bin/survey"));
    profile.mappings.push(Mapping {
        process: Some(ProcessIdx(0)),
        range: AbsRange::new(AbsAddr(0x1000), AbsAddr(0x3000)).unwrap(),
        file_offset: FileOffset(0),
        perms: Perms::READ | Perms::EXECUTE,
        module: Some(ModuleIdx(0)),
        start_ns: Some(2),
    });
    let at = |offset| Location {
        module: Some(ModuleIdx(0)),
        file_offset: Some(FileOffset(offset)),
        kind: Some(AddrKind::File),
        ..Location::default()
    };
    let outer = profile.add_location(at(0x10)).unwrap();
    let sample = |time_ns, thread, stack| Sample {
        thread,
        time_ns: Some(time_ns),
        stack,
        first_type: 0,
    };
    let stack = profile.stacks.intern([outer]);
    profile.samples.push(sample(3, None, stack), &[5], &[]);
    let mut writer = ProfileWriter::new(&HeaderLine::new("test"), Vec::new());
    writer.drain(&mut profile).unwrap();

    profile.threads.push(Thread {
        process: ProcessIdx(0),
        tid: Some(8),
        name: Some(worker),
    });
    profile.processes[0].end_ns = Some(9);
    profile.duration_ns = Some(8);
    let frames = profile.add_frames([ProfileFrame {
        function: Some(worker),
        start_line: Some(3),
        ..ProfileFrame::default()
    }]);
    let inner = profile
        .add_location(Location {
            lookup: Lookup::Return,
            frames: frames.unwrap(),
            ..at(0x20)
        })
        .unwrap();
    let stack = profile.stacks.intern([outer, inner]);
    let labels = [
        Label {
            key: main,
            value: LabelValue::Text(worker),
        },
        Label {
            key: kind,
            value: LabelValue::Number(-1, Some(unit)),
        },
    ];
    profile
        .samples
        .push(sample(4, Some(ThreadIdx(0)), stack), &[6], &labels);
    writer.drain(&mut profile).unwrap();
    assert_eq!(String::from_utf8(writer.into_inner()).unwrap(), GROWN);
}

#[test]
fn wrong_lines_are_said_and_the_rest_is_kept() {
    let text = concat!(
        r#"{"type":"header","schema_version":1}"#,
        "\n",
        r#"{"type":"address","index":0,"address":"0x10","reason":"unmapped"}"#,
        "\n",
        r#"{"type":"address","index":1,"address":"#,
        "\n",
        r#"{"type":"address","index":2,"module":7,"file_offset":"0x30"}"#,
        "\n",
        r#"{"type":"sample","pid":5,"values":[1],"stack":[2,1,0]}"#,
        "\n",
        r#"{"type":"sample","pid":5,"tid":6,"thread":9,"values":[2],"stack":[0]}"#,
        "\n",
        r#"{"type":"thread","index":0,"process":4}"#,
        "\n",
        r#"{"type":"sample","pid":5,"values":[3],"stack":[],"labels":[{"key":"x"}]}"#,
        "\n",
        r#"{"type":"mapping","start":"0x2000","end":"0x1000","file_offset":"0x0","perms":"r-xp"}"#,
        "\n",
    );
    let (profile, malformed) = read(text.as_bytes());
    let want = [
        "line 3: EOF while parsing a value, column 38",
        "line 4: module 7 is not defined by an earlier line",
        "line 5: address 1 is not defined by an earlier line",
        "line 6: thread 9 is not defined by an earlier line",
        "line 7: process 4 is not defined by an earlier line",
        "line 8: label \"x\" has no value",
        "line 9: its end precedes its start",
    ];
    assert_eq!(malformed, want);
    let samples: Vec<_> = profile
        .samples
        .iter()
        .map(|(sample, values, _)| {
            let stack = profile.stacks.iter(sample.stack);
            let offsets = stack.map(|at| {
                let location = profile.location(at).unwrap();
                (location.address, location.file_offset)
            });
            (values[0], offsets.collect::<Vec<_>>())
        })
        .collect();
    let first = (Some(AbsAddr(0x10)), None);
    let want = [
        (1, vec![(None, Some(FileOffset(0x30))), (None, None), first]),
        (2, vec![first]),
        (3, vec![]),
    ];
    assert_eq!(samples, want);
}

/// `cat a.ndjson b.ndjson`: each capture has its own indices.
#[test]
fn captures_can_follow_each_other() {
    let one = concat!(
        r#"{"type":"header","schema_version":1}"#,
        "\n",
        r#"{"type":"profile","sample_types":[{"kind":"samples","unit":"count"}]}"#,
        "\n",
        r#"{"type":"address","address":"0x10","reason":"unmapped"}"#,
        "\n",
        r#"{"type":"sample","pid":5,"values":[1],"stack":[0]}"#,
        "\n",
    );
    let both = [one, &one.replace("0x10", "0x20")].concat();
    let (profile, malformed) = read(both.as_bytes());
    assert_eq!(malformed, [""; 0]);
    let leaf = |sample: Sample| {
        let mut stack = profile.stacks.iter(sample.stack);
        profile.location(stack.next()?)?.address
    };
    let leaves: Vec<_> = profile
        .samples
        .iter()
        .map(|(sample, ..)| leaf(sample))
        .collect();
    assert_eq!(leaves, [Some(AbsAddr(0x10)), Some(AbsAddr(0x20))]);
    assert_eq!(profile.processes.len(), 2, "two captures, two processes");
}
