//! Each flag has an effect where it is taken, and is refused where it would have none.

mod common;

use std::fs;

use common::run;

/// Stacks of two threads of a process, with code of the kernel and a library without names.
const SCRIPT: &str = "\
# cmdline : perf record -g ./shop
shop 7/7 1.000001: 10 cycles: \n\tffffffff81000010 do_thing ([kernel.kallsyms])\n\t\
1146 leaf (/app)\n\t2000 [unknown] (/lib/liba.so)\n\t2100 [unknown] (/lib/liba.so)\n\t3000 main (/app)\n\n\
work 7/8 1.000002: 30 cycles: \n\t1150 other (/app)\n\t3000 main (/app)\n\n";

const OUTPUTS: [&str; 10] = [
    "ndjson",
    "folded",
    "svg",
    "html",
    "pprof",
    "pb",
    "firefox",
    "speedscope",
    "otlp",
    "otlp-gz",
];

/// Flags of `convert` that are of some outputs alone. A unit test of the command knows all.
const FLAGS: [(&[&str], &[&str]); 9] = [
    (&["--root-frame", "thread"], &["folded", "svg"]),
    (&["--root-frame", "none"], &["folded", "svg"]),
    (&["--per-thread"], &["folded", "svg"]),
    (&["--annotate"], &["folded"]),
    (&["--offsets"], &["svg"]),
    (&["--title", "Friday"], &["svg", "html"]),
    (&["--icicle"], &["svg"]),
    (&["--reverse"], &["svg"]),
    (&["--width", "900"], &["svg"]),
];

#[test]
fn a_flag_changes_the_output_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.perf");
    fs::write(&input, SCRIPT).unwrap();
    let (input, out) = (input.to_str().unwrap(), dir.path().join("out"));
    let out = out.to_str().unwrap();
    for to in OUTPUTS {
        let args = ["convert", input, out, "--to", to, "--no-symbols", "-q"];
        run(args).ok();
        let plain = fs::read(out).unwrap();
        for (flags, outputs) in FLAGS {
            fs::remove_file(out).unwrap();
            let ran = run([&args[..], flags].concat());
            if outputs.contains(&to) {
                ran.ok();
                assert!(fs::read(out).unwrap() != plain, "{to} {flags:?}");
            } else {
                ran.fails(2, &[flags[0], "no effect", "it is for ."]);
                assert!(fs::metadata(out).is_err(), "{to} {flags:?}");
            }
            fs::write(out, &plain).unwrap();
        }
    }
}

#[test]
fn flags_of_other_lists_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.perf");
    fs::write(&input, SCRIPT).unwrap();
    let input = input.to_str().unwrap();
    for (flags, words) in [
        (&["--fold", "5"][..], "--tree"),
        (&["--by", "thread", "--sort", "total"], "--sort total"),
        (&["--by", "process", "--sort", "total"], "--sort total"),
        (&["--by", "thread", "--tree"], "--tree"),
        (&["--by", "event", "--tree"], "--tree"),
        (&["--by", "event", "--sort", "self"], "--sort"),
        (&["--by", "event", "-n", "1"], "-n"),
    ] {
        run([&["report", input][..], flags].concat()).fails(2, &[words]);
    }
    for flags in [
        &["--fold", "5", "--tree"][..],
        &["--by", "thread", "--sort", "self"],
        &["--by", "module", "--sort", "total"],
        &["--by", "line", "--tree"],
    ] {
        run([&["report", input, "-q"][..], flags].concat()).ok();
    }
}

#[test]
fn a_filter_says_what_the_input_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (folded, script, out) = (path("in.folded"), path("in.perf"), path("out.folded"));
    fs::write(&folded, "main;a 3\n").unwrap();
    fs::write(&script, SCRIPT).unwrap();
    for (flag, value, what) in [
        ("--pid", "7", "no processes"),
        ("--tid", "7", "no threads"),
        ("--comm", "main", "no threads"),
    ] {
        for args in [&["report", &*folded][..], &["convert", &folded, &out]] {
            let ran = run([args, &[flag, value]].concat());
            ran.fails(1, &[flag, "in.folded", what, "--focus"]);
        }
        let value = if flag == "--comm" { "shop" } else { value };
        run(["report", &script, "-q", flag, value]).ok();
    }
    // What nothing is left of is no file.
    for args in [&["report", &*script][..], &["convert", &script, &out]] {
        let ran = run([args, &["--pid", "1"]].concat());
        ran.fails(1, &["in.perf", "no samples", "--pid leaves none"]);
    }
    assert!(fs::metadata(&out).is_err());
}

#[test]
fn a_blank_name_is_unknown_by_every_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let input = path("in.folded");
    fs::write(&input, "a;;c 3\na;  ;c 2\na;b;  1\n").unwrap();
    let want = "a;[unknown];c 5\na;b;[unknown] 1\n";
    let plain = ["--to", "folded", "--root-frame", "none"];
    for ending in ["ndjson", "pb.gz", "otlp", "speedscope.json", "folded"] {
        let other = path(&format!("out.{ending}"));
        run(["convert", &input, &other, "-q"]).ok();
        for from in [&input, &other] {
            let ran = run([&["convert", from, "-", "-q"][..], &plain].concat());
            assert_eq!(ran.ok(), want, "{ending}");
            let rows = run(["report", from, "-q", "--format", "csv"]).ok();
            assert!(rows.contains("[unknown],"), "{ending}: {rows}");
            assert!(
                !rows.lines().any(|row| row.trim_start().starts_with(',')),
                "{rows}"
            );
            let tree = run(["report", from, "-q", "--tree"]).ok();
            assert_eq!(tree.matches("[unknown]").count(), 2, "{ending}: {tree}");
        }
    }
}
