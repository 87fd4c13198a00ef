//! `--on-cpu` and `--off-cpu`: samples of threads that run, or that wait.

mod common;

use common::run;
use serde_json::json;

/// A recording as `record --off-cpu` writes it: two samples that run, one wait of 70 ns.
fn recording(kinds: [(&str, &str); 4]) -> tempfile::NamedTempFile {
    let types = kinds.map(|(kind, unit)| json!({"kind": kind, "unit": unit}));
    let lines = [
        json!({"type": "profile", "sample_types": types}),
        json!({"type": "process", "index": 0, "pid": 7, "name": "p"}),
        json!({"type": "thread", "index": 0, "process": 0, "tid": 8, "name": "t"}),
        json!({"type": "address", "index": 0, "frames": [{"function": "work"}]}),
        json!({"type": "address", "index": 1, "frames": [{"function": "wait"}]}),
        json!({"type": "sample", "thread": 0, "time_ns": 1, "values": [1, 10], "stack": [0]}),
        json!({"type": "sample", "thread": 0, "time_ns": 2, "values": [1, 70], "stack": [1],
            "value_type": 2}),
        json!({"type": "sample", "thread": 0, "time_ns": 9, "values": [1, 10], "stack": [0]}),
    ];
    let file = tempfile::Builder::new().suffix(".ndjson").tempfile();
    let file = file.expect("a file");
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    std::fs::write(file.path(), lines.join("\n")).expect("ours");
    file
}

const BOTH: [(&str, &str); 4] = [
    ("cpu-clock-samples", "count"),
    ("cpu-clock", "nanoseconds"),
    ("context-switches-samples", "count"),
    ("context-switches", "nanoseconds"),
];

#[test]
fn samples_that_run_and_that_wait_are_told_apart() {
    let file = recording(BOTH);
    let input = file.path().to_str().expect("UTF-8");
    let folded = |flags: &[&str]| {
        let args = [&["convert", input, "-", "--to", "folded"], flags].concat();
        run(args).ok()
    };
    assert_eq!(folded(&["--off-cpu"]), "p;wait 70\n");
    assert_eq!(folded(&["--on-cpu"]), "p;work 2\n");
    assert_eq!(folded(&["--on-cpu", "--per-thread"]), "t-7/8;work 2\n");
    // What has room for several values has only the samples that are wanted, too.
    let dir = tempfile::tempdir().expect("a folder");
    let pprof = dir.path().join("off.pb.gz");
    let pprof = pprof.to_str().expect("UTF-8");
    run(["convert", input, pprof, "--off-cpu"]).ok();
    for (kind, want) in [("context-switches", "p;wait 70\n"), ("cpu-clock", "")] {
        let args = [
            "convert",
            pprof,
            "-",
            "--to",
            "folded",
            "--sample-type",
            kind,
        ];
        assert_eq!(run(args).stdout, want, "{kind}");
    }
    let args = ["convert", input, "-", "--to", "ndjson", "--off-cpu"];
    let records = run(args).ok();
    assert_eq!(
        records.matches("\"type\":\"sample\"").count(),
        1,
        "{records}"
    );
    // The account counts the others.
    let ran = run(["report", input, "--off-cpu", "--account", "always"]);
    assert!(
        ran.stderr.contains("samples that no filter takes"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("100.00%") && ran.stdout.contains("wait"),
        "{ran:?}"
    );
}

#[test]
fn a_recording_without_waits_is_refused() {
    let other = [
        ("samples", "count"),
        ("cycles", "count"),
        ("x-samples", "count"),
        // Without a time, the switches are counted.
        ("context-switches", "count"),
    ];
    let file = recording(other);
    let input = file.path().to_str().expect("UTF-8");
    for flag in ["--on-cpu", "--off-cpu"] {
        let ran = run(["report", input, flag]);
        ran.fails(1, &[flag, "record it with --off-cpu"]);
        let ran = run(["report", input, flag, "--sample-type", "samples"]);
        ran.fails(2, &["cannot be used with"]);
    }
    run(["report", input, "--on-cpu", "--off-cpu"]).fails(2, &["cannot be used with"]);
}

/// A recording of two events says the same of its samples in each format: which value is shown, how
/// many samples have it, and how many have the other.
#[test]
fn the_samples_of_each_event_are_counted_alike_in_each_format() {
    let file = recording(BOTH);
    let input = file.path().to_str().expect("UTF-8");
    let dir = tempfile::tempdir().expect("a folder");
    for ending in [".ndjson", ".pb.gz", ".pb", ".otlp", ".otlp.gz"] {
        let path = dir.path().join(format!("a{ending}"));
        let path = path.to_str().expect("UTF-8");
        run(["convert", input, path]).ok();
        let ways = [
            (
                &[][..],
                2,
                "cpu-clock-samples",
                "2 of cpu-clock; left out: 1 of context-switches",
            ),
            (
                &["--sample-type", "cpu-clock"],
                2,
                "cpu-clock in nanoseconds",
                "",
            ),
            (
                &["--sample-type", "context-switches"],
                1,
                "context-switches in nanoseconds",
                "",
            ),
            (&["--off-cpu"], 1, "context-switches in nanoseconds", ""),
            (&["--on-cpu"], 2, "cpu-clock-samples", ""),
        ];
        for (flags, written, value, said) in ways {
            for args in [
                &["report", path][..],
                &["convert", path, "-", "--to", "folded"],
            ] {
                let ran = run([args, flags, &["--account", "json"]].concat());
                let account = ran.stderr.lines().find(|line| line.starts_with('{'));
                let account = account.unwrap_or_else(|| panic!("{ran:?}"));
                let account: serde_json::Value = serde_json::from_str(account).expect("JSON");
                let what = format!("{args:?} {flags:?}: {ran:?}");
                assert_eq!(account["samples_read"], 3, "{what}");
                assert_eq!(account["samples_written"], written, "{what}");
                assert_eq!(account["weighed_by"], value, "{what}");
                assert!(ran.stderr.contains(said), "{what}");
            }
        }
    }
}
