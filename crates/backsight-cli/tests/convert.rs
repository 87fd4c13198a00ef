//! `backsight convert`: formats by name, files that are complete or absent, and hostile names.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{backsight, json, of_type, run, run_with};
use serde_json::{Value, json};

/// Writes a profile of this program: a stack of its functions, and one with an address outside
/// of files.
fn profile(dir: &Path, program: &Path) -> PathBuf {
    let loads = testkit::tools::readelf_segments(program).expect("binutils");
    let code = loads.iter().find(|load| load.flags.contains('E'));
    let code = code.expect("a program has code");
    let id = run(["buildid".as_ref(), program.as_os_str()]).ok();
    let mut lines = vec![
        json!({"type": "header", "schema_version": 1}),
        json!({"type": "profile", "default_type": 1, "sample_types": [
            {"kind": "samples", "unit": "count"}, {"kind": "cpu-clock", "unit": "nanoseconds"}]}),
        json!({"type": "process", "index": 0, "pid": 7, "name": "input"}),
        json!({"type": "thread", "index": 0, "process": 0, "tid": 8, "name": "worker"}),
        json!({"type": "module", "index": 0, "path": program, "build_id": id.trim()}),
        json!({"type": "address", "index": 0, "address": "0x10", "reason": "unmapped"}),
    ];
    let places = (0..code.file_size).step_by(16);
    for (index, into) in (1..).zip(places.clone()) {
        lines.push(json!({"type": "address", "index": index, "module": 0,
            "virtual_offset": format!("{:#x}", code.virt + into)}));
    }
    for (index, time) in (1..).zip(places) {
        lines.push(json!({"type": "sample", "thread": 0, "time_ns": time,
            "values": [1, 10], "stack": [index, 0]}));
    }
    let path = dir.join("in.ndjson");
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&path, lines.join("\n")).expect("ours");
    path
}

fn convert(input: &Path, output: &Path, flags: &[&str]) -> common::Ran {
    let mut args = vec!["convert".as_ref(), "-i".as_ref(), input.as_os_str()];
    args.extend(["-o".as_ref(), output.as_os_str()]);
    args.extend(flags.iter().map(std::ffi::OsStr::new));
    run(args)
}

/// Filters formats that this build does not support.
fn can_be_written<'n>(names: &[&'n str]) -> Vec<&'n str> {
    let is_here = |name: &&&str| cfg!(feature = "otlp") || !name.contains("otlp");
    names.iter().filter(is_here).copied().collect()
}

#[test]
fn names_of_files_choose_formats_and_all_show_the_same_functions() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = testkit::child::program();
    let input = profile(dir.path(), &program);
    let to = |name: &str, flags: &[&str]| {
        let path = dir.path().join(name);
        convert(&input, &path, &[flags, &["--quiet"]].concat()).ok();
        fs::read_to_string(path).expect("it was written")
    };
    let folded = to("out.folded", &["--sample-type", "samples"]);
    let begun = "input;[unmapped];main ";
    let line = folded.lines().find(|line| line.starts_with(begun));
    let main: u64 = line.expect("main is there")[begun.len()..]
        .parse()
        .expect("a number");
    assert!(main >= 1);
    // The other type is the default of the input.
    let nanoseconds = to("by_time.folded", &[]);
    assert!(
        nanoseconds.contains(&format!("{begun}{}\n", main * 10)),
        "{nanoseconds}"
    );
    let by_thread = to("thread.folded", &["--root-frame", "thread"]);
    assert!(
        by_thread.contains("worker-7/8;[unmapped];main "),
        "{by_thread}"
    );
    let plain = to("plain.folded", &["--root-frame", "none"]);
    assert!(plain.contains("\n[unmapped];main "), "{plain}");
    let unnamed = to("unnamed.folded", &["--no-symbols"]);
    assert!(unnamed.starts_with("input;[unmapped];"), "{unnamed}");
    assert!(!unnamed.contains("main"), "{unnamed}");
    let svg = to("out.svg", &[]);
    assert!(
        svg.contains(&format!("<title>main ({}", main * 10)),
        "{svg}"
    );

    // The output as pprof and NDJSON gives the same stacks, without reading the program again.
    let kept_names = [
        "out.pb.gz",
        "out.pb",
        "out.otlp",
        "out.otlp.gz",
        "kept.ndjson",
    ];
    for name in can_be_written(&kept_names) {
        let kept = dir.path().join(name);
        convert(&input, &kept, &["--quiet"]).ok();
        let again = dir.path().join("again.folded");
        convert(&kept, &again, &["--no-symbols"]).ok();
        assert_eq!(
            fs::read_to_string(again).expect("it was written"),
            nanoseconds,
            "{name}"
        );
    }

    // The tables of this format are checked by its own tests.
    let firefox: Value = serde_json::from_str(&to("out.json", &[])).expect("JSON");
    let id = run(["buildid".as_ref(), program.as_os_str()]).ok();
    assert_eq!(firefox["libs"][0]["codeId"], id.trim());
    let thread = &firefox["threads"][0];
    assert_eq!(
        (&thread["name"], &thread["tid"]),
        (&json!("worker"), &json!("8"))
    );
    assert!(
        firefox["shared"]["stringArray"]
            .as_array()
            .expect("strings")
            .contains(&json!("main"))
    );

    // NDJSON has everything, and agrees with `symbolize -i` for each address.
    let lines = json(&to("out.ndjson", &[]));
    let input = fs::read_to_string(&input).expect("ours");
    let args = ["symbolize", "-i", "-", "--format", "json", "--quiet"];
    let streamed = json(&run_with(args, input.as_bytes()).ok());
    assert_eq!(of_type(&lines, "address"), of_type(&streamed, "address"));
    let named = of_type(&lines, "address");
    assert!(
        named
            .iter()
            .any(|line| line["frames"][0]["function"] == "main")
    );
    let samples = of_type(&lines, "sample");
    assert_eq!(samples.len(), of_type(&json(&input), "sample").len());
    assert!(samples.iter().all(|line| line["time_ns"].is_u64()));
}

#[test]
fn standard_streams_are_files_too() {
    let text = b"a;b 1\na;c 2\na;b 3\n";
    let args = [
        "convert", "-i", "-", "--from", "folded", "-o", "-", "--to", "folded",
    ];
    assert_eq!(run_with(args, text).ok(), "a;b 4\na;c 2\n");
    let args = ["convert", "-i", "-", "-o", "-"];
    run_with(args, text).fails(2, &["-", "--to"]);
    let args = ["convert", "-i", "-", "-o", "-", "--to", "folded"];
    assert_eq!(run_with(args, text).ok(), "a;b 4\na;c 2\n");
    run_with(args, b"some words\n").fails(1, &["standard input", "--from"]);
    // NDJSON is recognized by its content.
    let text = concat!(
        r#"{"type":"address","address":"0x10","reason":"unmapped"}"#,
        "\n",
        r#"{"type":"sample","pid":5,"values":[2],"stack":[0]}"#,
        "\n",
    );
    let quiet = [&args[..], &["--quiet"]].concat();
    assert_eq!(run_with(quiet, text.as_bytes()).ok(), "5;[unmapped] 2\n");
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    fs::write(path("in.folded"), "a;b 1\n").expect("ours");
    fs::write(path("empty.folded"), "# none\n").expect("ours");
    fs::write(path("out.svg"), "what was there").expect("ours");
    let failed = convert(&path("empty.folded"), &path("out.svg"), &[]);
    failed.fails(1, &["out.svg", "no samples"]);
    assert_eq!(
        fs::read_to_string(path("out.svg")).expect("ours"),
        "what was there"
    );
    convert(&path("no.folded"), &path("out.svg"), &[]).fails(1, &["no.folded", "No such file"]);
    convert(&path("in.folded"), &path("no/out.svg"), &[]).fails(1, &["no/out.svg", "No such file"]);
    convert(&path("in.folded"), &path("out.xyz"), &[]).fails(2, &["out.xyz", ".svg", "--to"]);
    fs::write(path("in.xyz"), "some words\n").expect("ours");
    convert(&path("in.xyz"), &path("out.svg"), &[]).fails(1, &["in.xyz", "--from"]);
    let typed = ["--sample-type", "alloc\u{1b}"];
    let ran = convert(&path("in.folded"), &path("out.svg"), &typed);
    ran.fails(1, &["--sample-type alloc\\x1b", "the input has samples"]);

    std::os::unix::fs::symlink("out.svg", path("link.svg")).expect("ours");
    convert(&path("in.folded"), &path("link.svg"), &[]).ok();
    assert!(
        path("link.svg").is_symlink(),
        "what it leads to is replaced"
    );
    assert!(
        fs::read_to_string(path("out.svg"))
            .expect("ours")
            .contains("</svg>")
    );
    let left: Vec<_> = fs::read_dir(dir.path())
        .expect("ours")
        .map(|entry| entry.expect("ours").file_name())
        .filter(|name| name.to_string_lossy().contains("backsight"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // A pipe is written directly.
    let mut child = backsight();
    child.args(["convert", "-o", "/dev/stdout", "--to", "folded", "-i"]);
    let output = child.arg(path("in.folded")).output().expect("it runs");
    assert_eq!(common::Ran::from(output).ok(), "a;b 1\n");
}

#[test]
fn malformed_records_are_counted() {
    let lines = "x\n".repeat(30);
    let args = [
        "convert", "-i", "-", "--from", "folded", "-o", "-", "--to", "folded",
    ];
    let ran = run_with(args, format!("{lines}a;b 1\n").as_bytes());
    ran.fails(0, &["standard input, line 10: no value", "20 more"]);
    assert!(!ran.stderr.contains("line 11"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "a;b 1\n");
    let strict = [&args[..], &["--strict"]].concat();
    assert_eq!(run_with(&strict, lines.as_bytes()).code, Some(3));
    assert_eq!(run_with(&strict, b"a 1\n").code, Some(0));
}

#[test]
fn unpacked_input_is_bounded() {
    let dir = tempfile::tempdir().expect("a folder");
    let folded = dir.path().join("in.folded");
    fs::write(&folded, "a;b 1\n").expect("ours");
    let out = dir.path().join("out.folded");
    for name in can_be_written(&["x.pb.gz", "x.otlp"]) {
        let packed = dir.path().join(name);
        convert(&folded, &packed, &[]).ok();
        convert(&packed, &out, &["--max-memory", "100K"]).ok();
        let ran = convert(&packed, &out, &["--max-memory", "10"]);
        ran.fails(1, &[name, "the 10 bytes", "--max-memory"]);
    }
}

/// Names that could break a line, a tag, a frame or a terminal.
const HOSTILE: [&str; 12] = [
    "a;b",
    "two\nlines",
    "trailing 7",
    "half 7.5",
    " ",
    "<script>alert(1)</script>",
    "]]>&amp;\"'",
    "\u{1b}]0;x\u{7}",
    "\u{202e}abc",
    "\u{fffe}\u{0}",
    "--",
    "x_[k]",
];

/// A profile in which all names of every kind are hostile.
fn hostile() -> String {
    let mut lines = vec![json!({"type": "header", "schema_version": 1})];
    let types: Vec<Value> = HOSTILE
        .iter()
        .map(|name| json!({"kind": name, "unit": name}))
        .collect();
    lines.push(json!({"type": "profile", "sample_types": types, "comments": HOSTILE}));
    for (index, name) in HOSTILE.iter().enumerate() {
        lines.push(json!({"type": "process", "index": index, "pid": index, "name": name}));
        lines.push(json!({"type": "thread", "index": index, "process": index, "name": name}));
        lines.push(json!({"type": "module", "index": index, "path": format!("/{name}")}));
        lines.push(
            json!({"type": "address", "index": 2 * index, "module": index,
            "file_offset": "0x10"}),
        );
        lines.push(
            json!({"type": "address", "index": 2 * index + 1, "module": index,
            "file_offset": "0x20", "frames": [{"function": name, "linkage_name": name, "file": name}]}),
        );
        lines.push(json!({"type": "sample", "thread": index, "values": [1],
            "stack": [2 * index, 2 * index + 1], "labels": [{"key": name, "text": name}]}));
    }
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n")
}

#[test]
fn hostile_names_stay_names_in_every_format() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("in.ndjson");
    fs::write(&input, hostile()).expect("ours");
    let to = |name: &str, flags: &[&str]| {
        let path = dir.path().join(name);
        convert(&input, &path, &[&["--no-symbols"], flags].concat()).ok();
        fs::read(path).expect("it was written")
    };
    for lead in ["process", "thread", "none"] {
        let folded = String::from_utf8(to("out.folded", &["--root-frame", lead])).expect("UTF-8");
        assert_eq!(folded.lines().count(), HOSTILE.len(), "{folded}");
        for line in folded.lines() {
            let depth = if lead == "none" { 2 } else { 3 };
            assert_eq!(line.split(';').count(), depth, "{line}");
            assert!(
                !line.contains(['\u{1b}', '\u{202e}', '\u{0}', '\r']),
                "{line}"
            );
        }
    }
    let svg = String::from_utf8(to("out.svg", &[])).expect("UTF-8");
    let mut reader = quick_xml::Reader::from_str(&svg);
    while reader.read_event().expect("XML") != quick_xml::events::Event::Eof {}
    let firefox: Value = serde_json::from_slice(&to("out.json", &[])).expect("JSON");
    let threads = firefox["threads"].as_array().expect("threads");
    for (thread, name) in threads.iter().zip(HOSTILE) {
        assert_eq!(
            (&thread["processName"], &thread["name"]),
            (&json!(name), &json!(name))
        );
        let strings = &firefox["shared"]["stringArray"];
        let strings = strings.as_array().expect("strings");
        assert!(strings.contains(&json!(name)), "{name:?}");
    }
    // Formats that keep names unchanged give the same folded stacks again.
    let folded = to("out.folded", &[]);
    for name in can_be_written(&["out.ndjson", "out.pb.gz", "out.otlp"]) {
        to(name, &[]);
        let again = dir.path().join("again.folded");
        let flags = ["--no-symbols", "--sample-type", HOSTILE[0]];
        convert(&dir.path().join(name), &again, &flags).ok();
        assert_eq!(fs::read(again).expect("ours"), folded, "{name}");
    }
}

#[test]
fn hostile_names_stay_names_in_a_flame_graph() {
    let mut lines = vec![json!({"type": "profile", "sample_types": [
        {"kind": "<b>&", "unit": "\"<i>"}]})];
    for (index, name) in HOSTILE.iter().enumerate() {
        lines.push(json!({"type": "address", "index": index, "frames": [{"function": name}]}));
        let stack: Vec<usize> = (0..=index).rev().collect();
        lines.push(json!({"type": "sample", "values": [1], "stack": stack}));
    }
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let args = [
        "convert",
        "-i",
        "-",
        "-o",
        "-",
        "--to",
        "svg",
        "--no-symbols",
    ];
    let svg = run_with(args, text.join("\n").as_bytes()).ok();
    // Each name appears once, below all of those before it: none is split or lost.
    let mut reader = quick_xml::Reader::from_str(&svg);
    let (mut titles, mut within) = (Vec::new(), false);
    loop {
        match reader.read_event().expect("XML") {
            quick_xml::events::Event::Start(tag) => {
                within = tag.name().as_ref() == b"title";
                if within {
                    titles.push(String::new());
                }
                assert_ne!(tag.name().as_ref(), b"b");
                assert_ne!(tag.name().as_ref(), b"i");
            }
            quick_xml::events::Event::Text(part) if within => {
                titles
                    .last_mut()
                    .expect("begun")
                    .push_str(&part.decode().expect("UTF-8"));
            }
            quick_xml::events::Event::GeneralRef(part) if within => {
                let name = part.decode().expect("UTF-8").into_owned();
                titles
                    .last_mut()
                    .expect("begun")
                    .push_str(&format!("&{name};"));
            }
            quick_xml::events::Event::End(_) => within = false,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(titles.len(), HOSTILE.len() + 1, "{titles:#?}");
    let scripts = svg.matches("<script").count();
    assert_eq!(scripts, 2, "inferno's own, and ours that shows the base");
    assert!(!svg.contains(['\u{1b}', '\u{202e}', '\u{fffe}', '\u{0}']));
    let counts = titles.iter().filter(|title| title.contains(" (12 "));
    assert_eq!(counts.count(), 2, "all, and the outermost: {titles:#?}");
}
