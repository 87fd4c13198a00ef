//! Folded stacks, read and written.

mod common;

use std::collections::BTreeMap;

use backsight_formats::folded::{RootFrame, read, write};
use backsight_formats::place_name;
use backsight_profile::{
    Location, Process, ProcessIdx, Profile, ProfileFrame, Sample, Thread, ThreadIdx, ValueType,
};
use backsight_types::{AddrKind, FileOffset, Module, ModuleIdx, Reason};
use common::profile;
use proptest::prelude::*;

fn folded(profile: &Profile, sample_type: usize, root_frame: RootFrame) -> String {
    let mut out = Vec::new();
    write(profile, sample_type, root_frame, &mut out).expect("a vector takes it");
    String::from_utf8(out).expect("names are UTF-8")
}

fn unfold(text: &str) -> (Profile, Vec<String>) {
    let mut malformed = Vec::new();
    let read = read(text.as_bytes(), |error| malformed.push(error.to_string()));
    let (profile, flaws) = read.expect("a slice does not fail");
    malformed.extend(
        flaws
            .changed()
            .map(|(what, count)| format!("{count} {what}")),
    );
    (profile, malformed)
}

/// Returns the names of each stack and the sum of its values, from the model.
fn sums(profile: &Profile, sample_type: usize) -> BTreeMap<Vec<String>, i64> {
    let mut sums = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let mut names = Vec::new();
        for at in profile.stacks.iter(sample.stack) {
            let location = profile.location(at).expect("it is there");
            let of = |frame: &ProfileFrame| {
                let known = [frame.function, frame.linkage_name].into_iter().flatten();
                let mut known = known.map(|at| profile.strings.get(at).expect("it is there"));
                let name = known.find(|name| !name.is_empty()).map(str::to_owned);
                name.unwrap_or_else(|| place_name(profile, location))
            };
            let frames = profile.frames_of(location);
            names.extend(frames.iter().map(of));
            if frames.is_empty() {
                names.push(place_name(profile, location));
            }
        }
        if names.is_empty() {
            names.push("[unknown]".to_owned());
        }
        names.reverse();
        let first = usize::try_from(sample.first_type).expect("it fits");
        let value = sample_type.checked_sub(first).and_then(|at| values.get(at));
        let sum: &mut i64 = sums.entry(names).or_default();
        *sum = sum.saturating_add(value.copied().unwrap_or_default());
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

proptest! {
    #[test]
    fn stacks_and_sums_are_read_back(profile in profile()) {
        for sample_type in 0..profile.sample_types.len() {
            let text = folded(&profile, sample_type, RootFrame::None);
            let (again, malformed) = unfold(&text);
            prop_assert_eq!(malformed, Vec::<String>::new());
            prop_assert_eq!(sums(&again, 0), sums(&profile, sample_type));
            prop_assert_eq!(folded(&again, 0, RootFrame::None), text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let mut malformed = 0;
        let (profile, _) = read(bytes.as_slice(), |_| malformed += 1).unwrap();
        let lines = bytes.split(|byte| *byte == b'\n').count();
        prop_assert!(profile.samples.len() + malformed <= lines);
    }
}

/// A process with two threads: an inlined call, a location without a name, and one that is in no
/// file.
fn survey() -> Profile {
    let mut profile = Profile::default();
    let [kind, unit, name, worker, main, read, aim] = [
        "samples", "count", "survey", "worker;1", "main", "read", "aim\n",
    ]
    .map(|text| profile.strings.intern(text));
    profile.sample_types = vec![ValueType { kind, unit }; 2];
    let process = |pid, name| Process {
        pid,
        name,
        ..Process::default()
    };
    profile.processes = vec![process(7, Some(name)), process(8, None)];
    let thread = |process, tid, name| Thread {
        process: ProcessIdx(process),
        tid,
        name,
    };
    profile.threads = vec![
        thread(0, Some(7), None),
        thread(0, Some(9), Some(worker)),
        thread(1, None, None),
    ];
    profile
        .modules
        .push(Module::default().with_path(b"/usr/lib/libc.so.6"));
    let frame = |function, inlined| ProfileFrame {
        function: Some(function),
        inlined,
        ..ProfileFrame::default()
    };
    let in_main = profile.add_frames([frame(main, false)]).unwrap();
    let in_aim = profile
        .add_frames([frame(aim, true), frame(read, false)])
        .unwrap();
    let with = |frames| Location {
        frames,
        ..Location::default()
    };
    let main = profile.add_location(with(in_main)).unwrap();
    let aim = profile.add_location(with(in_aim)).unwrap();
    let libc = profile.add_location(Location {
        module: Some(ModuleIdx(0)),
        file_offset: Some(FileOffset(0x8e123)),
        kind: Some(AddrKind::File),
        ..Location::default()
    });
    let nowhere = profile.add_location(Location {
        reason: Some(Reason::Unmapped),
        ..Location::default()
    });
    let stacks = [
        (0, profile.stacks.intern([main, aim]), 40),
        (1, profile.stacks.intern([main, aim]), 2),
        (0, profile.stacks.intern([main, libc.unwrap()]), 1),
        (2, profile.stacks.intern(nowhere), 3),
        (2, None, 4),
    ];
    for (time, (thread, stack, value)) in (0..).zip(stacks) {
        let sample = Sample {
            thread: Some(ThreadIdx(thread)),
            time_ns: Some(time),
            stack,
            first_type: 0,
        };
        profile.samples.push(sample, &[value, value * 10], &[]);
    }
    profile
}

#[test]
fn each_lead_is_written_so() {
    let profile = survey();
    let cases = [
        (
            "none",
            folded(&profile, 0, RootFrame::None),
            "[unknown] 4\n[unmapped] 3\nmain;libc.so.6+0x8e123 1\nmain;read;aim\\x0a 42\n",
        ),
        (
            "the second type",
            folded(&profile, 1, RootFrame::None),
            "[unknown] 40\n[unmapped] 30\nmain;libc.so.6+0x8e123 10\nmain;read;aim\\x0a 420\n",
        ),
        (
            "a type that is not there",
            folded(&profile, 2, RootFrame::None),
            "",
        ),
        (
            "the process",
            folded(&profile, 0, RootFrame::Process),
            "8 4\n8;[unmapped] 3\nsurvey;main;libc.so.6+0x8e123 1\nsurvey;main;read;aim\\x0a 42\n",
        ),
        (
            "the thread",
            folded(&profile, 0, RootFrame::Thread),
            "[unknown]-8/? 4\n[unknown]-8/?;[unmapped] 3\nsurvey-7/7;main;libc.so.6+0x8e123 1\n\
             survey-7/7;main;read;aim\\x0a 40\nworker\\x3b1-7/9;main;read;aim\\x0a 2\n",
        ),
    ];
    for (name, got, want) in cases {
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn files_of_other_tools_are_read() {
    let text = "\nswapper;[k] do idle 3\r\n# a comment 7\nswapper;[k] do idle 4\na;;b\t15\nhalf 0\n\
                #novalue\nnovalue\nword x\na 99999999999999999999\nx -1\n#ctor;main 2\nlast 1";
    let (profile, malformed) = unfold(text);
    let want = [
        "line 8: no value after its last space",
        "line 9: its value is not a number of 64 bits",
        "line 10: its value is not a number of 64 bits",
        "1 last line without a line end: if the text was cut, its value is too small",
    ];
    assert_eq!(malformed, want);
    let sums = sums(&profile, 0);
    let sums: Vec<(String, i64)> = sums
        .into_iter()
        .map(|(names, sum)| (names.join(" | "), sum))
        .collect();
    let want = [
        ("#ctor | main", 2),
        ("a | [unknown] | b", 15),
        ("last", 1),
        ("swapper | [k] do idle", 7),
        ("x", -1),
    ];
    assert_eq!(sums, want.map(|(names, sum)| (names.to_owned(), sum)));
}

/// The totals were calculated from the same lines with Python's `decimal`.
#[test]
fn fractions_keep_their_shares_and_their_total() {
    let unit = |profile: &Profile| {
        let unit = profile.strings.get(profile.sample_types[0].unit);
        unit.unwrap().to_owned()
    };
    let total = |profile: &Profile| -> i64 { sums(profile, 0).values().sum() };
    let scaled = |stacks| {
        format!(
            "{stacks} stacks whose values have decimal places: all are whole numbers of a fraction, which is the unit (1e-3: thousandths)"
        )
    };
    let rounded = |count| format!("{count} values that were rounded");
    let cases: [(&str, &str, i64, Vec<String>); 7] = [
        ("a;b 1.5\na;c 0.4\nd 3\n", "1e-1", 49, vec![scaled(3)]),
        (
            "a 1.25E-05\nb 2e3\n",
            "1e-7",
            20_000_000_125,
            vec![scaled(2)],
        ),
        // The sum of the stack has no fraction.
        ("a 0.5\na 0.5\nb 2.0\n", "count", 3, vec![]),
        (
            "a 0.12345678949\n",
            "1e-9",
            123_456_789,
            vec![rounded(1), scaled(1)],
        ),
        // The digits do not fit: as many as possible are kept.
        (
            "a 9000000000000000000\nb 0.6\n",
            "count",
            9_000_000_000_000_000_001,
            vec![rounded(1)],
        ),
        (
            "a 900000000000000000\nb 0.61\n",
            "1e-1",
            9_000_000_000_000_000_006,
            vec![rounded(1), scaled(2)],
        ),
        ("a 0.001\nb 0.002\n", "1e-3", 3, vec![scaled(2)]),
    ];
    for (text, want_unit, want_total, want_said) in cases {
        let (profile, said) = unfold(text);
        assert_eq!(unit(&profile), want_unit, "{text}");
        assert_eq!(total(&profile), want_total, "{text}");
        assert_eq!(said, want_said, "{text}");
    }
}

#[test]
fn a_name_that_begins_as_a_comment_does_is_read_back() {
    for name in ["#", "# a 7", "#!x", "#a"] {
        let mut profile = survey();
        let lead = profile.strings.intern(name);
        profile.processes[0].name = Some(lead);
        let text = folded(&profile, 0, RootFrame::Process);
        let (again, malformed) = unfold(&text);
        assert_eq!(malformed, Vec::<String>::new(), "{text}");
        assert_eq!(folded(&again, 0, RootFrame::None), text);
        assert!(again.strings.find(name).is_some(), "{name}: {text}");
    }
}

/// The output of `difffolded.pl` for two files. `flamegraph.pl` draws the last value.
#[test]
fn a_comparison_has_two_values() {
    let text = "a;b 31 33\na;c 0 7\n# a comment 1\nd 4.5 0\na;b 1 2\n";
    let (profile, said) = unfold(text);
    let kinds = profile.sample_types.iter();
    let kinds: Vec<_> = kinds
        .map(|of| [of.kind, of.unit].map(|at| profile.strings.get(at).unwrap()))
        .collect();
    assert_eq!(kinds, [["before", "1e-1"], ["after", "1e-1"]]);
    assert_eq!(profile.default_type, Some(1));
    for (place, want) in [(0, "a;b 320\nd 45\n"), (1, "a;b 350\na;c 70\n")] {
        assert_eq!(folded(&profile, place, RootFrame::None), want);
    }
    let two = "3 stacks with two values, which are a comparison: read as `before` and `after`";
    assert_eq!(said[0], two);
    assert_eq!(said.len(), 2, "{said:?}");
    let (profile, said) = unfold("a;b 31 33\nc 7\n");
    assert_eq!(profile.sample_types.len(), 1, "a name may end in a number");
    assert_eq!((profile.samples.len(), said.len()), (2, 0));
    // A later line with one value is malformed in a comparison.
    let (profile, said) = unfold(&["a;b 1 2\n".repeat(32), "a;c 3\n".to_owned()].concat());
    assert_eq!(profile.samples.len(), 1);
    assert_eq!(said[0], "line 33: one value, but earlier lines have two");
}

#[test]
fn a_name_that_ends_in_a_number_is_no_second_value() {
    let mut profile = survey();
    let place = profile.strings.intern("read 7");
    for frame in &mut profile.frames {
        frame.function = Some(place);
    }
    let text = folded(&profile, 0, RootFrame::Process);
    assert!(
        text.contains("survey;read 7;read 7;read\\x207 42\n"),
        "{text}"
    );
    let (again, said) = unfold(&text);
    assert_eq!((said, again.sample_types.len()), (vec![], 1));
    assert_eq!(folded(&again, 0, RootFrame::None), text);
    assert!(again.strings.find("read 7").is_some());
}

#[test]
fn folded_stacks_are_known_by_their_lines() {
    use backsight_formats::folded::is_one;
    for text in ["a;b 1\nc 2\n", "# x\na;b\t1.5\nc;d 2", "a;b 1\nc;d"] {
        assert!(is_one(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "a 1\n",
        "a;b\n",
        "a;b 1\nno value\n",
        "int main(); // 1\nx\n",
    ] {
        assert!(!is_one(text.as_bytes()), "{text}");
    }
}
