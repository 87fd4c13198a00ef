//! `diff`: what changed between two profiles.

mod common;

use common::{json, of_type, run};

fn folded(lines: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix(".folded")
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), lines).unwrap();
    file
}

#[test]
fn shares_of_recordings_of_any_length_are_compared() {
    let before = folded("main;a 50\nmain;b 50\n");
    let after = folded("main;a 5\nmain;c 5\n");
    let [before, after] = [&before, &after].map(|file| file.path().to_str().unwrap());
    let text = run(["diff", before, after]).ok();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(
        rows,
        [
            "   50.00%     0.00%    -50.00    -50.00  b",
            "    0.00%    50.00%    +50.00    +50.00  c",
            "   50.00%    50.00%     +0.00     +0.00  a",
            "    0.00%     0.00%     +0.00     +0.00  main",
        ],
        "{text}"
    );
    let lines = json(&run(["diff", before, after, "--format", "json"]).ok());
    let changes = of_type(&lines, "change");
    assert_eq!(changes[1]["name"], "c");
    assert_eq!(changes[1]["self_after"], 5);
    assert_eq!(of_type(&lines, "diff")[0]["whole_before"], 100);
}

#[test]
fn a_threshold_has_an_exit_code() {
    let before = folded("main;a 50\nmain;b 50\n");
    let after = folded("main;a 60\nmain;b 40\n");
    let [before, after] = [&before, &after].map(|file| file.path().to_str().unwrap());
    let ran = run(["diff", before, after, "--threshold", "9"]);
    ran.fails(4, &["a grew from 50.00 % to 60.00 % of its own"]);
    run(["diff", before, after, "--threshold", "10.5"]).ok();
}

#[test]
fn stacks_of_both_are_written_side_by_side() {
    let before = folded("main;a 50\nmain;b 50\n");
    let after = folded("main;a 60\nmain;c 40\n");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [before, after] = [&before, &after].map(|file| file.path().to_str().unwrap());
    let stacks = path("both.folded");
    run(["diff", before, after, "-o", &stacks]).ok();
    let text = std::fs::read_to_string(&stacks).unwrap();
    assert_eq!(text, "main;a 50 60\nmain;b 50 0\nmain;c 0 40\n");
    let picture = path("both.svg");
    run(["diff", before, after, "-o", &picture]).ok();
    let svg = std::fs::read_to_string(&picture).unwrap();
    assert!(
        svg.contains("<svg") && svg.contains("Differential"),
        "{svg}"
    );
    let wrong = path("both.json");
    run(["diff", before, after, "-o", &wrong]).fails(1, &[".folded, .svg, .html or .pb.gz"]);
    assert!(!std::path::Path::new(&wrong).exists());
}

#[test]
fn values_of_different_units_are_compared_only_if_asked() {
    let (calls, times) = (folded("main;a 5\n"), folded("main;a 50\nmain;b 5\n"));
    let dir = tempfile::tempdir().unwrap();
    let [calls, times] = [&calls, &times].map(|file| file.path().to_str().unwrap());
    let records = run(["convert", times, "-", "--to", "ndjson"]).ok();
    let count = r#"{"kind":"samples","unit":"count"}"#;
    assert!(records.contains(count), "{records}");
    let records = records.replace(count, r#"{"kind":"time","unit":"nanoseconds"}"#);
    let times = dir.path().join("times.ndjson");
    std::fs::write(&times, records).unwrap();
    let times = times.to_str().unwrap();
    let words = ["before is samples", "time in nanoseconds", "--any-units"];
    run(["diff", calls, times]).fails(1, &words);
    let ran = run(["diff", calls, times, "--any-units"]);
    assert!(
        ran.code == Some(0) && ran.stdout.contains("+9.09"),
        "{ran:?}"
    );
}

#[test]
fn flags_without_an_effect_on_the_stacks_that_are_written_are_refused() {
    let some = folded("main;a 5\n");
    let some = some.path().to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    for ending in ["folded", "svg", "html", "pb.gz"] {
        let path = dir.path().join(format!("both.{ending}"));
        let path = path.to_str().unwrap();
        for flags in [["--format", "json"], ["-n", "3"], ["--by", "module"]] {
            let ran = run([&["diff", some, some, "-o", path][..], &flags].concat());
            ran.fails(2, &[flags[0], "no effect"]);
        }
        let args = ["diff", some, some, "-o", path, "--normalize", "none"];
        match ending {
            "folded" => run(args).fails(2, &["--normalize", "no effect"]),
            _ => drop(run(args).ok()),
        }
        // What grew is told by rows.
        let args = ["diff", some, some, "-o", path, "--threshold", "5"];
        run([&args[..], &["--by", "module"]].concat()).ok();
    }
}

#[test]
fn inputs_that_cannot_be_compared_are_named() {
    let some = folded("main 1\n");
    let none = folded("");
    let [some, none] = [&some, &none].map(|file| file.path().to_str().unwrap());
    run(["diff", some, none]).fails(1, &["empty", none]);
    run(["diff", some, some, "--by", "event"]).fails(2, &["events are not compared"]);
    let words = ["no samples", "leaves none"];
    run(["diff", some, some, "--focus", "none"]).fails(1, &words);
    run(["diff", some, "/nonexistent"]).fails(1, &["/nonexistent"]);
}

/// Returns the rows of `go tool pprof -top`: flat value, flat share, function.
fn top(args: &[&str]) -> Option<Vec<(String, String, String)>> {
    let ran = std::process::Command::new("go")
        .args(["tool", "pprof", "-top", "-nodecount=99"])
        .args(args)
        .output();
    let ran = ran.ok().filter(|ran| ran.status.success())?;
    let text = String::from_utf8(ran.stdout).expect("text");
    let rows = text
        .lines()
        .skip_while(|line| !line.contains("flat%"))
        .skip(1);
    let rows = rows.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let word = |at: usize| (*words.get(at).expect("a column")).to_owned();
        (word(0), word(1), words[5..].join(" "))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    Some(rows)
}

#[test]
fn a_difference_for_pprof_is_that_of_its_diff_base() {
    let before = folded("main;a 500\nmain;b 500\nmain;b;d 200\n");
    let after = folded("main;a 700\nmain;c 300\nmain;b;d 200\n");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [before, after] = [&before, &after].map(|file| file.path().to_str().unwrap());
    let [first, second] = [path("before.pb.gz"), path("after.pb.gz")];
    run(["convert", before, &first]).ok();
    run(["convert", after, &second]).ok();
    let both = path("both.pb.gz");
    run(["diff", before, after, "--normalize", "none", "-o", &both]).ok();
    // What is in it, also without Go: a has more, b has less, c is new, d is equal.
    let folds = run([
        "convert",
        &both,
        "-",
        "--to",
        "folded",
        "--root-frame",
        "none",
    ])
    .ok();
    assert_eq!(folds, "main;a 200\nmain;b -500\nmain;c 300\n");
    let Some(wanted) = top(&["-diff_base", &first, &second]) else {
        testkit::skip("no go tool pprof");
        return;
    };
    assert_eq!(top(&[&both]).expect("it is one"), wanted);
    // By shares, as pprof normalizes.
    let longer = folded("main;a 1000\nmain;b 1000\nmain;b;d 400\n");
    let longer = longer.path().to_str().unwrap();
    run(["diff", longer, after, "-o", &both]).ok();
    assert_eq!(top(&[&both]).expect("it is one"), wanted);
}

#[test]
fn values_are_compared_by_share_by_time_or_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let profile = |name: &str, seconds: u64, a: i64, b: i64| {
        let lines = [
            serde_json::json!({"type": "profile", "sample_types": [
                {"kind": "samples", "unit": "count"}], "duration_ns": seconds * 1_000_000_000}),
            serde_json::json!({"type": "address", "index": 0, "frames": [{"function": "a"}]}),
            serde_json::json!({"type": "address", "index": 1, "frames": [{"function": "b"}]}),
            serde_json::json!({"type": "sample", "values": [a], "stack": [0]}),
            serde_json::json!({"type": "sample", "values": [b], "stack": [1]}),
        ];
        let path = dir.path().join(name);
        std::fs::write(&path, lines.map(|line| line.to_string()).join("\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // In half of the time, a did as much as before.
    let before = profile("before.ndjson", 10, 60, 40);
    let after = profile("after.ndjson", 5, 60, 140);
    let rows = |how: &str| {
        let text = run(["diff", &before, &after, "--normalize", how]).ok();
        let mut rows = text.lines().peekable();
        // What percents are of is said where it is not what one takes them for.
        let of = rows.next_if(|line| line.starts_with('%'));
        let said = match how {
            "none" => Some("% of the sum after"),
            "time" => Some("% of the sum after, before taken to last as long"),
            _ => None,
        };
        assert_eq!(of, said);
        let rows = rows.skip(1).map(|row| {
            let words: Vec<&str> = row.split_whitespace().collect();
            format!("{} {} {}", words[4], words[0], words[1])
        });
        rows.collect::<Vec<_>>()
    };
    assert_eq!(rows("total"), ["a 60.00% 30.00%", "b 40.00% 70.00%"]);
    assert_eq!(rows("none"), ["b 20.00% 70.00%", "a 30.00% 30.00%"]);
    assert_eq!(rows("time"), ["b 10.00% 70.00%", "a 15.00% 30.00%"]);
    let limit = [
        "diff",
        &before,
        &after,
        "--normalize",
        "none",
        "--threshold",
        "9",
    ];
    let grew = "b grew from 20.00 % to 70.00 % of its own: % of the sum after\n";
    run(limit).fails(4, &[grew]);
    let json = run([
        "diff",
        &before,
        &after,
        "--normalize",
        "time",
        "--format",
        "json",
    ])
    .ok();
    assert!(json.contains(r#""normalize":"time""#), "{json}");
    let untimed = folded("a 1\nb 1\n");
    let untimed = untimed.path().to_str().unwrap();
    let ran = run(["diff", untimed, &after, "--normalize", "time"]);
    ran.fails(1, &["before does not say how long it is"]);
}

/// Each file counts in the largest fraction that makes its values whole.
#[test]
fn decimal_places_are_those_of_both() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let files = [
        ("hundredths.folded", "a;b 1.25\na;c 2.5\n"),
        ("tenths.folded", "a;b 1.5\na;c 2.5\n"),
        ("whole.folded", "a;b 1\na;c 3\n"),
    ];
    for (name, text) in files {
        std::fs::write(path(name), text).unwrap();
    }
    for (before, after, want) in [
        ("hundredths", "tenths", ["a;b 125 150", "a;c 250 250"]),
        ("tenths", "hundredths", ["a;b 150 125", "a;c 250 250"]),
        ("tenths", "whole", ["a;b 15 10", "a;c 25 30"]),
        ("whole", "tenths", ["a;b 10 15", "a;c 30 25"]),
        ("whole", "hundredths", ["a;b 100 125", "a;c 300 250"]),
    ] {
        let [one, other] = [before, after].map(|name| path(&format!("{name}.folded")));
        let out = path("out.folded");
        let ran = run(["diff", "-q", &one, &other, "-o", &out]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let text = std::fs::read_to_string(&out).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, want, "{before} {after}");
    }
    // Half of a whole is the same share in each scale.
    let [one, other] = ["whole", "tenths"].map(|name| path(&format!("{name}.folded")));
    let ran = run(["diff", "-q", "--normalize", "none", &one, &other]);
    let row = ran.stdout.lines().find(|line| line.ends_with(" b"));
    let row = row.unwrap_or_default();
    assert!(row.contains("25.00%") && row.contains("37.50%"), "{ran:?}");
}
