//! Real-world inputs: gzipped, with unusual names, mangled, or unsupported.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, run, run_with};
use testkit::{perf, skip};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory takes all");
    packed.finish().expect("memory takes all")
}

fn written(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).expect("ours");
    path
}

fn convert(input: &Path, to: &str) -> Ran {
    let input = input.to_str().expect("UTF-8");
    run(["convert", "-i", input, "-o", "-", "--to", to])
}

const SCRIPT: &str = "w 7/7 1.25: 5 cycles: \n\t1146 aim (/a)\n\t2000 main (/a)\n\n";

#[test]
fn texts_are_known_by_what_is_in_them_and_unpacked() {
    let dir = tempfile::tempdir().expect("a folder");
    let no_time = SCRIPT.replace(" 1.25: 5 cycles:", "");
    let cases = [
        ("a.txt", SCRIPT.as_bytes().to_vec(), "w;main;aim 1\n"),
        ("b.txt", no_time.clone().into_bytes(), "w;main;aim 1\n"),
        ("c.txt.gz", gzip(no_time.as_bytes()), "w;main;aim 1\n"),
        ("d", gzip(SCRIPT.as_bytes()), "w;main;aim 1\n"),
        (
            "e.txt",
            b"# made by hand\nmain;aim\t2\n".to_vec(),
            "main;aim 2\n",
        ),
        ("f.folded.gz", gzip(b"aim 2\r\n"), "aim 2\n"),
        ("g.gz", gzip(b"main;aim 2\n"), "main;aim 2\n"),
    ];
    for (name, bytes, want) in cases {
        let ran = convert(&written(dir.path(), name, &bytes), "folded");
        assert_eq!((ran.code, &*ran.stdout), (Some(0), want), "{name}: {ran:?}");
        // A pipe has no name.
        if name != "f.folded.gz" {
            let ran = run_with(["convert", "-i", "-", "-o", "-", "--to", "folded"], &bytes);
            assert_eq!((ran.code, &*ran.stdout), (Some(0), want), "{name}: {ran:?}");
        }
    }
}

#[test]
fn packed_recordings_say_what_they_say_unpacked() {
    let Some(program) = perf::program() else {
        return skip("no C compiler");
    };
    let args = ["-e", "cpu-clock", "-F", "999", "-g"];
    let recording = match perf::record(
        &args,
        &[program.to_str().expect("UTF-8"), "threads", "60000"],
    ) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let plain = convert(&recording.dir().join("perf.data"), "folded");
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(plain.stdout.lines().count() > 1, "{plain:?}");
    let dir = tempfile::tempdir().expect("a folder");
    let bytes = gzip(&fs::read(recording.dir().join("perf.data")).expect("it is there"));
    for name in ["perf.data.gz", "other"] {
        let packed = convert(&written(dir.path(), name, &bytes), "folded");
        assert_eq!(packed.stdout, plain.stdout, "{name}");
    }
    // Truncated: this is reported, and everything before is read.
    let cut = convert(
        &written(dir.path(), "cut.gz", &bytes[..bytes.len() / 2]),
        "folded",
    );
    assert!(
        cut.code == Some(1) && cut.stderr.contains("cut.gz"),
        "{cut:?}"
    );
}

/// The names agree with c++filt.
#[test]
fn mangled_names_come_out_demangled() {
    let names = [
        "_ZN3lib7computeEi",
        "_ZSt4sortIPiEvT_S1_",
        "_ZN3std3fmt5write17h0123456789abcdefE",
    ];
    let Ok(done) = Command::new("c++filt").args(&names[..2]).output() else {
        return skip("no c++filt");
    };
    let filtered = String::from_utf8(done.stdout).expect("UTF-8");
    let mut want: Vec<&str> = filtered.lines().collect();
    want.push("std::fmt::write");
    let dir = tempfile::tempdir().expect("a folder");
    let folded = written(dir.path(), "a.folded", format!("{} 3\n", names.join(";")));
    let script = names
        .iter()
        .rev()
        .map(|name| format!("\t1146 {name}+0x1 (/a)\n"));
    let script = format!("w 7/7 1.25: 5 cycles: \n{}\n", script.collect::<String>());
    let script = written(dir.path(), "a.perf", script);
    for input in [&folded, &script] {
        let ran = convert(input, "folded");
        let stack = want.join(";");
        assert!(ran.stdout.contains(&stack), "{ran:?}");
        // The mangled name is kept beside it.
        let records = convert(input, "ndjson").ok();
        for name in names {
            let wanted = format!("\"linkage_name\":\"{name}\"");
            assert!(records.contains(&wanted), "{records}");
        }
        let again = written(dir.path(), "again.ndjson", &records);
        assert_eq!(convert(&again, "folded").stdout, ran.stdout);
    }
    let pprof = dir.path().join("raw.pb.gz");
    let out = pprof.to_str().expect("UTF-8");
    let input = folded.to_str().expect("UTF-8");
    run(["convert", "-i", input, "-o", out, "--no-symbols"]).ok();
    assert_eq!(
        convert(&pprof, "folded").stdout,
        format!("{} 3\n", want.join(";"))
    );
    // Unchanged with --no-symbols.
    let raw = run([
        "convert",
        "-i",
        out,
        "-o",
        "-",
        "--to",
        "folded",
        "--no-symbols",
    ]);
    assert_eq!(raw.stdout, format!("{} 3\n", names.join(";")));
}

/// Profiles in JSON are known by what is in them, whatever their name, and lead to the others.
#[test]
fn profiles_in_json_are_known_by_their_members() {
    let dir = tempfile::tempdir().expect("a folder");
    let speedscope = r#"{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":
        {"frames":[{"name":"main"},{"name":"aim"}]},"profiles":[{"type":"sampled","name":"w",
        "unit":"none","startValue":0,"endValue":3,"samples":[[0,1],[0]],"weights":[2,1]}]}"#;
    let frame =
        |name| format!(r#""callFrame":{{"functionName":"{name}","url":"","lineNumber":0}}"#);
    let (main, aim) = (frame("main"), frame("aim"));
    let v8 = format!(
        r#"{{"nodes":[{{"id":1,{main},"children":[2]}},{{"id":2,{aim}}}],"startTime":0,"endTime":3,
        "samples":[2,1],"timeDeltas":[0,2]}}"#
    );
    let json = written(dir.path(), "a.json", speedscope);
    let named = written(dir.path(), "a.speedscope.json", speedscope);
    let packed = dir.path().join("a.speedscope.json.gz");
    fs::write(&packed, gzip(speedscope.as_bytes())).expect("ours");
    for input in [&json, &named, &packed] {
        assert_eq!(convert(input, "folded").ok(), "w;main 1\nw;main;aim 2\n");
    }
    let v8 = written(dir.path(), "b.json", &v8);
    assert_eq!(convert(&v8, "folded").ok(), "main 1000\nmain;aim 2000\n");
    // By way of the other formats, the same.
    for input in [&json, &v8] {
        let again = written(dir.path(), "c", convert(input, "speedscope").ok());
        assert_eq!(
            convert(&again, "folded").stdout,
            convert(input, "folded").stdout
        );
        let pprof = dir.path().join("c.pb");
        let args = [
            "convert",
            input.to_str().expect("UTF-8"),
            pprof.to_str().expect("UTF-8"),
        ];
        run(args).ok();
        let again = convert(&pprof, "folded").stdout;
        let [main, aim] = ["main ", "main;aim "].map(|stack| again.contains(stack));
        assert!(main && aim, "{again}");
    }
    // What is wrong with a file is said, and where.
    let cut = written(
        dir.path(),
        "d.speedscope.json",
        &speedscope[..speedscope.len() - 9],
    );
    convert(&cut, "folded").fails(1, &["d.speedscope.json", "cut off, at byte"]);
    let odd = speedscope.replace("[0,1]", "[0,9]");
    let odd = written(dir.path(), "e.json", &odd);
    let said = convert(&odd, "folded").stderr;
    assert!(
        said.contains("1 frames that the list of frames does not have"),
        "{said}"
    );
}

/// Unsupported files, each with a word of its description and one of the advice.
fn others() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let zip = b"PK\x03\x04\x14\0\0\0".to_vec();
    let firefox = r#"{"meta":{"interval":1,"startTime":0,"processType":0},"libs":[]}"#;
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("firefox.json", text(firefox), "Firefox", "made from"),
        (
            "firefox.json.gz",
            gzip(firefox.as_bytes()),
            "Firefox",
            "made from",
        ),
        (
            "trace.json",
            text(r#"{"traceEvents":[{"ph":"X"}]}"#),
            "trace of Chrome",
            "perf",
        ),
        (
            "list.json",
            text(r#"[{"ph":"X","ts":1}]"#),
            "trace of Chrome",
            "perf",
        ),
        (
            "x.heapprofile",
            text(r#"{"head":{"callFrame":{"functionName":"(root)"},"selfSize":0}}"#),
            ".heapprofile",
            "pprof",
        ),
        ("other.json", text("{\"a\": 1}"), "JSON", "NDJSON"),
        (
            "x.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(),
            "PNG",
            "recording",
        ),
        (
            "x.svg",
            text("<?xml version=\"1.0\"?>\n<svg></svg>"),
            "SVG",
            "folded",
        ),
        (
            "x.html",
            text("<!DOCTYPE html>\n<html>"),
            "HTML",
            "recording",
        ),
        (
            "prog",
            b"\x7fELF\x02\x01\x01".to_vec(),
            "ELF",
            "symbolize -e",
        ),
        ("x.jfr", b"FLR\0\0\x02\0\x01".to_vec(), "JFR", "jfrconv"),
        ("x.zip", zip, "zip", "unpack"),
        (
            "perf.data.zst",
            b"\x28\xb5\x2f\xfd\x04\0".to_vec(),
            "zstd",
            "zstd -d",
        ),
        ("perf.data.xz", b"\xfd7zXZ\0\0".to_vec(), "xz", "xz -d"),
        ("twice.gz", gzip(&gzip(b"x")), "twice", "gunzip"),
        (
            "raw.txt",
            text("PeriodType: cpu nanoseconds\nPeriod: 10\nSamples:\n"),
            "pprof -raw",
            "-proto",
        ),
        (
            "top.txt",
            text("Type: cpu\nShowing nodes accounting for 10ms, 100% of 10ms total\n"),
            "report",
            "profile itself",
        ),
        (
            "bpf.txt",
            text("Attaching 1 probe...\n\n@[\n    aim+12\n    main+3\n]: 5\n"),
            "bpftrace",
            "stackcollapse-bpftrace.pl",
        ),
        (
            "dtrace.txt",
            text(
                "\n              libc.so.1`memcpy+0x1f\n              a.out`main+0x12\n                7\n",
            ),
            "dtrace",
            "stackcollapse.pl",
        ),
        ("empty", Vec::new(), "empty", "record again"),
        ("empty.gz", gzip(b""), "empty", "record again"),
    ]
}

#[test]
fn unreadable_inputs_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, bytes, what, way_out) in others() {
        let path = written(dir.path(), name, bytes);
        let path = path.to_str().expect("UTF-8");
        let out = dir.path().join("out.folded");
        let out = out.to_str().expect("UTF-8");
        let ways: [&[&str]; 3] = [
            &["convert", "-i", path, "-o", out],
            &["normalize", "-i", path],
            &["symbolize", "-i", path],
        ];
        for args in ways {
            let ran = run(args);
            assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
            assert_eq!(ran.stderr.lines().count(), 1, "{args:?}: {ran:?}");
            for word in [name, what, way_out] {
                assert!(ran.stderr.contains(word), "{args:?}, {word}: {ran:?}");
            }
        }
    }
}

#[test]
fn symbolize_names_the_command_that_reads_an_input() {
    let dir = tempfile::tempdir().expect("a folder");
    let cases: [(&str, &[u8], &str); 4] = [
        (
            "perf.data",
            b"PERFILE2\x68\0\0\0\0\0\0\0",
            "a recording of perf",
        ),
        ("a.txt", SCRIPT.as_bytes(), "perf script"),
        ("b.txt", b"main;aim 2\n", "folded"),
        ("c.pb.gz", &gzip(b"\x0a\x04\x08\x01\x10\x02"), "gzip"),
    ];
    for (name, bytes, what) in cases {
        let path = written(dir.path(), name, bytes);
        let ran = run(["symbolize", "-i", path.to_str().expect("UTF-8")]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:?}");
        assert!(
            ran.stderr.contains(what) && ran.stderr.contains("convert"),
            "{ran:?}"
        );
    }
}

#[test]
fn profiles_from_before_pprof_had_a_format_are_known_by_their_beginning() {
    let dir = tempfile::tempdir().expect("a folder");
    let heap = "heap profile: 1: 64 [1: 64] @ heapprofile\n1: 64 [1: 64] @ 0x400011\n\n\
                MAPPED_LIBRARIES:\n00400000-00500000 r-xp 00001000 00:00 77 /bin/a\n";
    let go = "goroutine profile: total 3\n3 @ 0x11\n#\t0x10\tmain.run+0x1\t/a.go:7\n";
    for (name, text, want) in [
        // A return address is named by the byte that is looked up, the one before it.
        ("heap", heap, "a+0x1010 64\n"),
        ("x.txt", go, "main.run 3\n"),
    ] {
        for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
            let ran = convert(&written(dir.path(), name, bytes), "folded");
            assert_eq!((ran.code, &*ran.stdout), (Some(0), want), "{ran:?}");
        }
    }
    let damaged = convert(
        &written(
            dir.path(),
            "bad",
            heap.replace("1: 64 [1: 64] @ 0x", "1: 64 @ 0x"),
        ),
        "folded",
    );
    assert!(damaged.stderr.contains("line 2"), "{damaged:?}");
}

#[cfg(feature = "otlp")]
#[test]
fn json_of_opentelemetry_is_known_by_its_beginning() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = r#"{"resourceProfiles":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeProfiles":[{"profiles":[{"sampleType":{"typeStrindex":1},"samples":[{"stackIndex":1,"values":["3"]}]}]}]}],
        "dictionary":{"stringTable":["","samples","main"],"mappingTable":[{}],"linkTable":[{}],"attributeTable":[{}],
        "functionTable":[{},{"nameStrindex":2}],"locationTable":[{},{"lines":[{"functionIndex":1}]}],
        "stackTable":[{},{"locationIndices":[1]}]}}"#;
    let input = written(dir.path(), "x.json", text);
    assert_eq!(convert(&input, "folded").ok(), "main 3\n");
    assert!(convert(&input, "ndjson").ok().contains("shop"));
}
