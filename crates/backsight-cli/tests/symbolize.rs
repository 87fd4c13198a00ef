//! `backsight symbolize`: names for a process, a file and a capture.

mod common;
mod dialogue;

use std::fs;
use std::path::Path;

use common::{backsight, code_of, json, of_type, program_counter, run, run_with, sleeping};
use dialogue::Dialogue;
use nix::sys::stat::Mode;
use testkit::child::Child;

#[test]
fn a_sleeping_process_names_the_function_it_sleeps_in() {
    let child = sleeping();
    let pid = child.0.id();
    let text = run(["symbolize", "-p", &pid.to_string()]).ok();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(&*format!("thread {pid} sleep")));
    let frame = lines.next().unwrap();
    assert!(
        frame.starts_with(&format!("{:#x} ", program_counter(pid))),
        "{frame}"
    );
    assert!(
        frame.contains("nanosleep+0x") && frame.contains("libc"),
        "{frame}"
    );

    let lines = json(&run(["symbolize", "-p", &pid.to_string(), "--format", "json"]).ok());
    let sample = &of_type(&lines, "sample")[0];
    assert_eq!(
        (&sample["tid"], &sample["stack"][0]),
        (&pid.into(), &0.into())
    );
}

#[test]
fn standard_input_is_answered_line_by_line() {
    let child = sleeping();
    let pid = child.0.id();
    let pc = format!("{:#x}", program_counter(pid));
    let capture = format!(
        "{}\n",
        r#"{"type":"address","address":"0x10","reason":"unmapped"}"#
    );
    let pid = pid.to_string();
    let cases = [
        (vec!["-p", &pid, "-"], format!("{pc}\n"), "nanosleep+0x"),
        (vec!["-i", "-"], capture, "[unmapped]"),
    ];
    for (args, ask, want) in cases {
        let mut dialogue = Dialogue::with(backsight().arg("symbolize").args(args));
        for _ in 0..2 {
            dialogue.ask(&ask);
            let line = dialogue.line();
            assert!(line.contains(want), "{line}");
        }
        dialogue.end();
    }
}

#[test]
fn a_capture_says_the_same_as_the_process() {
    let child = sleeping();
    let pid = child.0.id();
    let places = [
        program_counter(pid),
        code_of(pid, "libc") + 0x1234,
        0x10,
        u64::MAX,
        code_of(pid, "sleep") + 0x800,
        code_of(pid, "[vdso]") + 0xb00,
    ];
    let addrs = places.map(|addr| format!("{addr:#x}"));
    let pid = pid.to_string();
    for format in ["text", "json"] {
        let args = ["-p", &pid, "--stack", "--format"].into_iter();
        let args = args.chain(addrs.iter().map(String::as_str));
        let with = |first: &'static str, format| {
            let mut all: Vec<&str> = std::iter::once(first).chain(args.clone()).collect();
            all.insert(5, format);
            run(all).ok()
        };
        let captured = with("normalize", "json");
        let live = with("symbolize", format);
        let later = run_with(
            ["symbolize", "-i", "-", "--format", format],
            captured.as_bytes(),
        );
        assert_eq!(later.ok(), live);
    }
}

#[test]
fn a_file_is_asked_by_virtual_or_file_offset() {
    let program = testkit::child::program();
    let elf = program.to_str().unwrap();
    let loads = testkit::tools::readelf_segments(&program);
    let Some(code) = loads.and_then(|all| all.into_iter().find(|load| load.flags.contains('E')))
    else {
        return testkit::skip("no readelf");
    };
    // Any code that has a symbol.
    let place = (0..code.file_size).step_by(16).find_map(|into| {
        let virt = format!("{:#x}", code.virt + into);
        let text = run(["symbolize", "-e", elf, &virt]).ok();
        text.contains("main+0x").then_some((into, text))
    });
    let (into, by_virtual) = place.expect("the program has a main");
    assert!(by_virtual.contains("input.c:"), "{by_virtual}");
    let offset = format!("{:x}", code.offset + into);
    let by_offset = run(["symbolize", "-e", elf, "--addr-kind", "offset", &offset]).ok();
    let tail = |text: &str| text.split_once(' ').unwrap().1.trim().to_owned();
    assert_eq!(tail(&by_virtual), tail(&by_offset));
    assert!(
        by_offset.starts_with(&format!("0x{offset} ")),
        "{by_offset}"
    );

    let args = ["symbolize", "-e", elf, "--format", "json", "-"];
    let lines = json(
        &run_with(
            args,
            format!("{:x}\nffffffff0\n", code.virt + into).as_bytes(),
        )
        .ok(),
    );
    let answers = of_type(&lines, "address");
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0]["frames"][0]["function"], "main");
    assert_eq!(answers[1]["reason"], "no-symbols");
    assert!(answers[1].get("address").is_none());
}

#[test]
fn only_regular_files_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let no_elf = dir.path().join("no-elf");
    fs::write(&no_elf, "text").unwrap();
    let cases = [
        (&*fifo, "not a regular file"),
        (Path::new("/dev/zero"), "not a regular file"),
        (dir.path(), "not a regular file"),
        (&no_elf, "not an ELF file"),
        (Path::new("/no/such/file"), "No such file"),
    ];
    for (path, cause) in cases {
        let path = path.to_str().unwrap();
        run(["symbolize", "-e", path, "10"]).fails(1, &[path, cause]);
        run(["buildid", path]).fails(1, &[path, cause]);
    }
}

#[test]
fn one_bad_mapping_does_not_lose_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let no_elf = dir.path().join("no-elf");
    fs::write(&no_elf, [b'x'; 4096]).unwrap();
    let mut child = Child::spawn();
    let bad = child.map(&no_elf, "r-xp");
    let libc = code_of(child.pid(), "libc");
    let pid = child.pid().to_string();
    // An address with a symbol in libc.
    let inside = format!("{:x}", libc + 0x10_0000);
    let text = run([
        "symbolize",
        "-p",
        &pid,
        &format!("{:x}", bad.start + 1),
        &inside,
        "10",
    ])
    .ok();
    let lines: Vec<_> = text.lines().collect();
    let name = no_elf.to_str().unwrap();
    assert!(
        lines[0].contains(&format!("{name}+0x1  [unreadable]")),
        "{text}"
    );
    assert!(text.contains("libc"), "{text}");
    assert_eq!(lines.last(), Some(&"0x10               [unmapped]"));
}

/// The file at a capture's `path` may have been replaced since.
#[test]
fn another_file_under_the_path_gives_no_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lib.so");
    testkit::copy(testkit::child::program(), &path).unwrap();
    let module = |more: &str| {
        let path = path.to_str().unwrap();
        format!(
            "{}\n{}\n",
            format_args!(r#"{{"type":"module","index":0,"path":"{path}",{more}}}"#),
            r#"{"type":"address","address":"0x5000","module":0,"virtual_offset":"0x1200"}"#
        )
    };
    let reason = |capture: String| {
        let args = ["symbolize", "-i", "-", "--format", "json"];
        let lines = json(&run_with(args, capture.as_bytes()).ok());
        of_type(&lines, "address")[0]["reason"].clone()
    };
    let unproven = "identity-unproven";
    assert_eq!(reason(module(r#""build_id":"aabbccdd""#)), unproven);
    assert_eq!(reason(module(r#""device":"00:01","inode":1"#)), unproven);
    assert_eq!(reason(module(r#""deleted":false"#)), unproven);
    let real = run(["buildid", path.to_str().unwrap()]).ok();
    let proven = reason(module(&format!(r#""build_id":"{}""#, real.trim())));
    assert_ne!(proven, unproven);
    fs::remove_file(&path).unwrap();
    assert_eq!(
        reason(module(&format!(r#""build_id":"{}""#, real.trim()))),
        "unreadable"
    );
}

#[test]
fn a_debug_directory_is_searched_by_build_id() {
    let Some(objcopy) = testkit::tools::tool("objcopy") else {
        return testkit::skip("no objcopy");
    };
    let dir = tempfile::tempdir().unwrap();
    let (debug, stripped) = (dir.path().join("debug"), dir.path().join("stripped"));
    let program = testkit::child::program();
    let split = |flag: &str, to: &Path| {
        let mut command = std::process::Command::new(&objcopy);
        assert!(
            command
                .arg(flag)
                .arg(&program)
                .arg(to)
                .status()
                .unwrap()
                .success()
        );
    };
    let id = run(["buildid".as_ref(), program.as_os_str()]).ok();
    let (first, rest) = id.trim().split_at(2);
    let home = debug.join(".build-id").join(first);
    fs::create_dir_all(&home).unwrap();
    split("--only-keep-debug", &home.join(format!("{rest}.debug")));
    split("--strip-all", &stripped);
    let (elf, debug) = (stripped.to_str().unwrap(), debug.to_str().unwrap());
    let loads = testkit::tools::readelf_segments(&program).expect("binutils");
    let code = loads
        .into_iter()
        .find(|load| load.flags.contains('E'))
        .unwrap();
    let all: Vec<String> = (0..code.file_size)
        .step_by(16)
        .map(|into| format!("{:x}", code.virt + into))
        .collect();
    let input = all.join("\n");
    let none = run_with(["symbolize", "-e", elf, "-"], input.as_bytes()).ok();
    assert!(!none.contains("input.c:"), "{none}");
    let found = run_with(
        ["symbolize", "-e", elf, "--debug-dir", debug, "-"],
        input.as_bytes(),
    );
    assert!(found.ok().contains("input.c:"));
}

#[test]
fn a_capture_from_a_newer_version_is_refused_and_a_bad_line_is_named() {
    let newer = run_with(
        ["symbolize", "-i", "-"],
        br#"{"type":"header","schema_version":2}"#,
    );
    newer.fails(
        1,
        &["standard input", "line 1", "schema_version 2", "newer"],
    );
    let capture = concat!(
        r#"{"type":"header","schema_version":1,"pid":7}"#,
        "\n",
        "nonsense\n",
        r#"{"type":"address","address":"0x10","module":9,"file_offset":"0x1"}"#,
        "\n",
        r#"{"type":"comet"}"#,
        "\n",
        r#"{"type":"address","address":"0x10","reason":"unmapped"}"#,
        "\n",
        r#"{"type":"sample","pid":7,"values":[1],"stack":[0]}"#,
        "\n",
    );
    let ran = run_with(
        ["symbolize", "-i", "-", "--format", "json"],
        capture.as_bytes(),
    );
    ran.fails(
        0,
        &[
            "line 2",
            "line 3: module 9 was not defined by an earlier line",
        ],
    );
    let types: Vec<_> = json(&ran.stdout)
        .iter()
        .map(|line| line["type"].clone())
        .collect();
    // The sample still refers to the first address.
    let want = ["header", "malformed", "address", "address", "sample"];
    assert_eq!(types, want);
    let strict = run_with(["symbolize", "-i", "-", "--strict"], capture.as_bytes());
    assert_eq!(strict.code, Some(3));
}

#[test]
fn names_are_escaped_for_the_terminal() {
    let capture = concat!(
        r#"{"type":"module","index":0,"path":"/tmp/\u001b]0;x\u0007\u202e"}"#,
        "\n",
        r#"{"type":"address","address":"0x10","module":0,"file_offset":"0x1"}"#,
        "\n",
    );
    let text = run_with(["symbolize", "-i", "-"], capture.as_bytes()).ok();
    assert!(text.contains(r"/tmp/\x1b]0;x\x07\u{202e}+0x1"), "{text}");
    let hostile = r#"{"type":"module","index":0,"kind":"\u001b[31m"}"#;
    let ran = run_with(["symbolize", "-i", "-"], hostile.as_bytes());
    ran.fails(1, &[r#"line 1: unknown module kind "\u{1b}[31m""#]);
    let after = format!("{capture}{hostile}\n");
    let ran = run_with(["symbolize", "-i", "-"], after.as_bytes());
    ran.fails(0, &[r#"line 3: unknown module kind "\u{1b}[31m""#]);
    let last = ran.stdout.lines().last().unwrap_or_default();
    assert!(
        last.contains(r#"[malformed: unknown module kind "\u{1b}[31m""#),
        "{last}"
    );
}
