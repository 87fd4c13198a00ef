//! The output of `perf script`: texts written by hand, and texts compared with perf's fields.

use backsight_formats::folded::{self, RootFrame};
use backsight_formats::perf_script::{Error, is_one, read};
use backsight_profile::Profile;
use backsight_types::Lookup;
use testkit::{perf, skip};

const TEXT: &str = "\
# ========
# hostname : vm
# cmdline : /usr/bin/perf record -g ./survey
#
survey  8137 28296.545590:     500000 cpu-clock: 
\t            1146 aim (inlined)
\t            1146 read<(int)>+0xd (/usr/bin/survey)
  survey.rs:33
\tffffffff821ef691 do_syscall_64+0x71 ([kernel.kallsyms])
\t    7f6d87ef2ad7 [unknown] ([unknown])
\t            2000 [unknown] (/usr/lib/lib (x).so (deleted))

two (2) t  81/82 [001] 28296.545591:  7 page-faults:      564141f51206 aim+0xd (/usr/bin/survey)
survey  8137 28296.545592: PERF_RECORD_MMAP2 8137/8137: [0x1(0x2) @ 0]: r-xp /x
this is no line of it
survey  8137 28296.545593:     500000 cpu-clock: 
\tnothing hexadecimal
\t            1150 aim (inlined)
";

fn parse(text: &str, summed: bool) -> (Profile, Vec<Error>) {
    let mut errors = Vec::new();
    let (profile, _) = read(text.as_bytes(), summed, |error| errors.push(error.clone())).unwrap();
    (profile, errors)
}

fn folded(profile: &Profile) -> String {
    let mut out = Vec::new();
    folded::write(profile, 0, RootFrame::Thread, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn frames_come_as_perf_names_them() {
    let (profile, errors) = parse(TEXT, false);
    let lines: Vec<u64> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [15, 17], "{errors:?}");
    assert_eq!(profile.samples.len(), 3);
    let (first, values, _) = profile.samples.get(0).unwrap();
    assert_eq!(first.time_ns, Some(28_296_545_590_000));
    assert_eq!(values, [1, 500_000]);
    let stack: Vec<_> = profile.stacks.iter(first.stack).collect();
    let locations: Vec<_> = stack
        .iter()
        .map(|at| *profile.location(*at).unwrap())
        .collect();
    let offsets: Vec<_> = (locations.iter())
        .map(|location| {
            (
                location.address.map(|a| a.0),
                location.file_offset.map(|o| o.0),
            )
        })
        .collect();
    assert_eq!(
        offsets,
        [
            (None, Some(0x1146)),
            (Some(0xffff_ffff_821e_f691), None),
            (Some(0x7f6d_87ef_2ad7), None),
            (None, Some(0x2000)),
        ]
    );
    assert_eq!(locations[0].lookup, Lookup::Exact);
    assert!(
        locations[1..]
            .iter()
            .all(|location| location.lookup == Lookup::Return)
    );
    let frames = profile.frames_of(&locations[0]);
    let text = |index| profile.strings.get(index).unwrap();
    let names: Vec<_> = frames
        .iter()
        .map(|f| (text(f.function.unwrap()), f.inlined))
        .collect();
    assert_eq!(names, [("aim", true), ("read<(int)>", false)]);
    assert_eq!(
        (frames[1].line, text(frames[1].file.unwrap())),
        (Some(33), "survey.rs")
    );
    let last = profile.module(locations[3].module.unwrap()).unwrap();
    assert_eq!(
        (last.path_lossy().as_ref(), last.deleted),
        ("/usr/lib/lib (x).so", true)
    );
    // A single address is absolute.
    let (second, values, _) = profile.samples.get(1).unwrap();
    let only = profile.stacks.iter(second.stack).next().unwrap();
    assert_eq!(
        profile.location(only).unwrap().address.unwrap().0,
        0x5641_41f5_1206
    );
    assert_eq!((second.first_type, values), (2, &[1, 7][..]));
    let thread = profile.thread(second.thread.unwrap()).unwrap();
    assert_eq!(thread.tid, Some(82));
    assert_eq!(text(thread.name.unwrap()), "two (2) t");
    assert_eq!(profile.process(thread.process).unwrap().pid, 81);
    let kinds: Vec<_> = profile.sample_types.iter().map(|t| text(t.kind)).collect();
    assert_eq!(
        kinds,
        [
            "cpu-clock-samples",
            "cpu-clock",
            "page-faults-samples",
            "page-faults"
        ]
    );
    assert_eq!(profile.comments.len(), 2);
}

#[test]
fn samples_that_are_alike_become_one() {
    let sample = "a  1 1.000000: 5 cycles: \n\t1 f+0x1 (/a)\n\n";
    let other = "a  1 2.000000: 6 cycles: \n\t1 f+0x1 (/a)\n\n";
    let (profile, errors) = parse(&[sample, other].concat(), true);
    assert_eq!((profile.samples.len(), errors.len()), (1, 0));
    assert_eq!(profile.samples.get(0).unwrap().1, [2, 11]);
    let kind = profile.strings.get(profile.sample_types[0].kind);
    assert_eq!(kind, Some("samples"));
}

#[test]
fn the_text_is_known_by_its_first_line() {
    assert!(is_one(TEXT.as_bytes()));
    for other in [
        "",
        "# only a comment\n",
        "main;f 12\n",
        "{\"type\":\"header\"}\n",
        "a b c\n",
    ] {
        assert!(!is_one(other.as_bytes()), "{other}");
    }
}

#[test]
fn damaged_text_is_survived() {
    let mut seed = 3_u64;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % limit
    };
    for cut in 0..TEXT.len() {
        read(&TEXT.as_bytes()[..cut], false, |_| {}).unwrap();
    }
    for _ in 0..3000 {
        let mut damaged = TEXT.as_bytes().to_vec();
        for _ in 0..4 {
            let at = below(damaged.len());
            damaged[at] = below(256) as u8;
        }
        let (profile, _) = read(&damaged[..], true, |_| {}).unwrap();
        folded(&profile);
    }
}

/// Texts without time, event or IDs, each with its folded stacks, whose root frames are threads.
#[test]
fn fields_may_be_missing() {
    let cases = [
        (
            "comm,pid,tid,cpu,ip,sym,dso",
            "java 7/8 [003] \n\t1146 aim (/a)\n\t2000 main (/a)\n\njava 7/8 [003] \n\t2000 main (/a)\n",
            "java-7/8;main 1\njava-7/8;main;aim 1\n",
        ),
        (
            "with blanks for the tabs",
            "java 7/8 \n        1146 aim (/a)\n        2000 main (/a)\n\njava 7/8 \n        2000 main (/a)\n",
            "java-7/8;main 1\njava-7/8;main;aim 1\n",
        ),
        (
            "comm,ip,sym",
            "my prog \n\t1146 aim\n\t2000 main\n\nsh \n\t2000 main\n",
            "my prog-?/?;main;aim 1\nsh-?/?;main 1\n",
        ),
        (
            "ip,sym",
            "\n\t1146 aim\n\t2000 main\n\n\n\t2000 main\n\n",
            "main 1\nmain;aim 1\n",
        ),
        (
            "one stack alone",
            "\t1146 aim\n\t2000 main\n",
            "main;aim 1\n",
        ),
        (
            "event,ip,sym",
            "cpu-clock: \n\t1146 aim\n\ncpu-clock: \n\t1146 aim\n",
            "aim 2\n",
        ),
        (
            "comm,ip,sym without chains",
            "   my prog      563628f8c140 aim\n   my prog      563628f8c140 aim\n",
            "my prog-?/?;aim 2\n",
        ),
        (
            "ip,sym without chains, with lines",
            "     563628f8c140 aim (/a b)\n  w.c:2\n     563628f8c145 aim (/a b)\n  w.c:2\n",
            "aim 2\n",
        ),
        (
            "three digits behind the point",
            "w 7 1.250: \n\t1146 aim\n\nw 7 2.5: \n\t1146 aim\n",
            "w-7/7;aim 2\n",
        ),
        (
            "Windows",
            "w 7 1.25: cycles: \r\n\t1146 aim (/a)\r\n\r\nw 7 2.5: cycles: \r\n\t1146 aim (/a)\r\n",
            "w-7/7;aim 2\n",
        ),
    ];
    for (name, text, want) in cases {
        let (profile, errors) = parse(text, false);
        assert_eq!(errors, [], "{name}");
        assert_eq!(folded(&profile), want, "{name}");
        assert!(is_one(text.as_bytes()), "{name}");
    }
    let (profile, _) = parse(cases[8].1, false);
    let times = profile.samples.iter().map(|(sample, ..)| sample.time_ns);
    assert_eq!(
        times.collect::<Vec<_>>(),
        [Some(1_250_000_000), Some(2_500_000_000)]
    );
}

/// A damaged line is never read in a different layout.
#[test]
fn samples_must_have_the_fields_of_the_first() {
    let good = "w 7/8 1.25: 5 cycles: \n\t1146 aim (/a)\n\n";
    let damaged = [
        "w 7/8 1.2x: 5 cycles: ",
        "w 7/8 1.: 5 cycles: ",
        "w 7/x 1.25: 5 cycles: ",
        "w 1.25: 5 cycles: ",
        "w 7/8 5 cycles: ",
        "w 7/8 1.25: 5 cycles",
        "w 7/8 ",
        "w ",
    ];
    for line in damaged {
        let text = format!("{good}{line}\n\t1146 aim (/a)\n\n{good}");
        let (profile, errors) = parse(&text, false);
        let lines: Vec<u64> = errors.iter().map(|error| error.line).collect();
        assert_eq!((profile.samples.len(), lines), (2, vec![4, 5]), "{line}");
    }
    // The end of a sample whose start was cut off.
    let cut = format!("\t1146 aim (/a)\n\t2000 main (/a)\n\n{good}{good}");
    let (profile, errors) = parse(&cut, false);
    let lines: Vec<u64> = errors.iter().map(|error| error.line).collect();
    assert_eq!((profile.samples.len(), lines), (2, vec![1]));
    // Words that are not a sample.
    let (profile, errors) = parse("Some words\nand more of 12 of them\n", false);
    assert_eq!((profile.samples.len(), errors.len()), (0, 2), "{errors:?}");
}

#[test]
fn a_text_may_begin_with_a_place_that_nothing_is_known_of() {
    for first in [
        "    7f0000001000 [unknown] ([unknown])",
        "    7f0000001000 [unknown]",
        "\t    7f0000001000 [unknown] ([unknown])",
    ] {
        let text = format!("{first}\n{first}\n");
        assert!(is_one(text.as_bytes()), "{first:?}");
    }
}

/// Each selection of fields, compared with the fields that perf passes to scripts: the sums by
/// stack must be equal, whichever fields are missing.
#[test]
fn every_selection_of_fields_counts_the_same() {
    let Some(program) = perf::program() else {
        return skip("no C compiler");
    };
    let program = program.to_str().unwrap();
    for chains in [true, false] {
        let mut args = vec!["-e", "cpu-clock", "-F", "2000"];
        args.extend(chains.then_some("-g"));
        let recording = match perf::record(&args, &[program, "threads", "60000"]) {
            Ok(recording) => recording,
            Err(why) => return skip(&why),
        };
        let plain = recording.script(&["-F", "comm,pid,tid,time,event,ip,sym,dso"]);
        let heads = plain.matches(" cpu-clock: ").count();
        let mut of_all = None;
        for fields in [
            "comm,pid,tid,time,event,ip,sym,dso",
            "comm,pid,tid,time,period,event,ip,sym,symoff,dso",
            "comm,pid,tid,time,event,ip,sym,dso,srcline",
            "comm,tid,time,period,ip,sym,dso",
            "comm,pid,ip,sym,dso",
            "comm,pid,tid,period,ip,sym,dso",
            "comm,pid,tid,event,ip,sym,dso",
            "comm,pid,tid,flags,ip,sym,dso",
            "comm,ip,sym,dso",
            "time,event,ip,sym,dso",
            "event,ip,sym,dso",
            "period,ip,sym,dso",
            "ip,sym,dso",
            "ip,sym",
        ] {
            let text = recording.script(&["-F", fields]);
            let (profile, errors) = parse(&text, true);
            assert_eq!(errors, [], "{fields}");
            assert!(is_one(text.as_bytes()), "{fields}");
            let mut out = Vec::new();
            folded::write(&profile, 0, RootFrame::None, &mut out).unwrap();
            let stacks = String::from_utf8(out).unwrap();
            let values = stacks.lines().map(|line| line.rsplit_once(' ').unwrap().1);
            let sum: usize = values.map(|value| value.parse::<usize>().unwrap()).sum();
            assert_eq!(sum, heads, "{fields}, chains: {chains}");
            // Without files, locations without names cannot be told apart.
            if fields.contains("dso") {
                assert_eq!(of_all.get_or_insert(stacks.clone()), &stacks, "{fields}");
            }
        }
        assert!(heads > 100, "{heads}");
    }
}

/// Stacks of the text, compared with those that perf passes to scripts, field by field.
#[test]
fn every_frame_of_a_recording_is_read() {
    let Some(program) = perf::program() else {
        return skip("no C compiler");
    };
    let program = program.to_str().unwrap();
    let args = ["-e", "cpu-clock,page-faults", "-F", "2000", "-g"];
    let recording = match perf::record(&args, &[program, "threads", "60000"]) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    for extra in [
        &[][..],
        &["-F", "+srcline"],
        &["--no-inline"],
        &["-F", "+pid,+tid", "--ns"],
    ] {
        let text = recording.script(extra);
        let (profile, errors) = parse(&text, false);
        assert_eq!(errors, [], "{extra:?}");
        let frames = text.lines().filter(|line| line.starts_with('\t')).count();
        let samples = text.lines().filter(|line| line.ends_with(": ")).count();
        assert!(samples > 100);
        assert_eq!(profile.samples.len(), samples, "{extra:?}");
        let inlined = text
            .lines()
            .filter(|line| line.ends_with("(inlined)"))
            .count();
        let read: usize = (profile.samples.iter())
            .map(|(sample, ..)| profile.stacks.iter(sample.stack).count())
            .sum();
        assert_eq!(read + inlined, frames, "{extra:?}");
        for name in ["leaf", "other_leaf", "two (2)", "three three"] {
            assert!(profile.strings.find(name).is_some(), "{name}, {extra:?}");
        }
    }
}
