//! `backsight normalize`: one answer for each address of any kind.

mod common;
mod dialogue;

use std::fs;

use common::{backends, backsight, json, of_type, run, run_with, sleeping};
use dialogue::Dialogue;
use testkit::child::Child;

#[test]
fn every_address_has_its_answer_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let no_elf = dir.path().join("no-elf");
    fs::write(&no_elf, [b'x'; 4096]).unwrap();
    let mut child = Child::spawn();
    let code = child.map_part("/bin/true", "r-xp", 0..0x1000);
    let text = child.map(&no_elf, "r-xp");
    let data = child.map("/bin/true", "r--p");
    let jit = child.anon("rwxp", 0x1000);
    let addrs = [
        u64::MAX,
        text.start + 5,
        0,
        code.start + 0x10,
        data.start,
        jit.end - 1,
        0x7fff_ffff_f000,
        code.start + 0x10,
    ];
    let pid = child.pid().to_string();
    for backend in backends() {
        let mut args = vec![
            "normalize",
            "-p",
            &pid,
            "--backend",
            backend,
            "--format",
            "json",
        ];
        let hex = addrs.map(|addr| format!("{addr:#x}"));
        args.extend(hex.iter().map(String::as_str));
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        // What would name the code that the process made.
        let said = ran.stderr.lines().collect::<Vec<_>>();
        let is_said = matches!(*said, [line] if line.contains("there is no perf-PID.map"));
        assert!(is_said, "{said:?}");
        let lines = json(&ran.stdout);
        let answers = of_type(&lines, "address");
        let got: Vec<_> = answers.iter().map(|line| line["address"].clone()).collect();
        assert_eq!(got, hex);
        let reasons: Vec<_> = answers.iter().map(|line| line["reason"].as_str()).collect();
        let unmapped = Some("unmapped");
        assert_eq!(
            reasons,
            [
                Some("kernel"),
                None,
                unmapped,
                None,
                Some("not-executable"),
                Some("anonymous"),
                unmapped,
                None
            ]
        );
        assert_eq!(answers[1]["file_offset"], "0x5");
        assert_eq!(answers[3]["file_offset"], "0x10");
        assert_eq!(answers[3], answers[7]);
        let modules = of_type(&lines, "module");
        let module = |answer: usize| {
            let index = &answers[answer]["module"];
            modules
                .iter()
                .find(|module| module["index"] == *index)
                .unwrap()
        };
        assert_eq!(module(1)["reason"], "unreadable");
        assert_eq!(module(1)["path"], no_elf.to_str().unwrap());
        assert!(module(3)["segments"].is_array());
        // The line of a module precedes the first address that refers to it.
        let mut known = Vec::new();
        for line in &lines {
            match line["type"].as_str().unwrap() {
                "module" => known.push(line["index"].clone()),
                "address" if line.get("module").is_some() => {
                    assert!(known.contains(&line["module"]), "{line}");
                }
                _ => {}
            }
        }
        assert_eq!(lines[0]["type"], "header");
        assert_eq!(lines[0]["pid"], child.pid());
        let used = if backend == "auto" {
            lines[0]["backend"].as_str().unwrap()
        } else {
            backend
        };
        assert_eq!(lines[0]["backend"], used);
    }
}

#[test]
fn both_backends_and_a_saved_text_give_the_same_places() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let starts: Vec<&str> = maps
        .lines()
        .filter_map(|line| line.split('-').next())
        .collect();
    let places = |args: &[&str]| {
        let lines = json(&run(args.iter().chain(&starts)).ok());
        let places: Vec<_> = of_type(&lines, "address")
            .into_iter()
            .map(|mut line| {
                // A saved text has no files from which to read program headers.
                line.as_object_mut().unwrap().remove("virtual_offset");
                line
            })
            .collect();
        assert_eq!(places.len(), starts.len());
        places
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &maps).unwrap();
    let saved = file.path().to_str().unwrap();
    let by_text = places(&["normalize", "--maps", saved, "--format", "json"]);
    for backend in backends() {
        let live = places(&[
            "normalize",
            "-p",
            &pid,
            "--backend",
            backend,
            "--format",
            "json",
        ]);
        assert_eq!(live, by_text, "{backend}");
    }
}

#[test]
fn modules_of_a_saved_text_keep_their_index_from_batch_to_batch() {
    let child = sleeping();
    let pid = child.0.id();
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), maps).unwrap();
    let (libc, sleep) = (common::code_of(pid, "libc"), common::code_of(pid, "sleep"));
    let saved = file.path().to_str().unwrap();
    let args = ["normalize", "--maps", saved, "--format", "json", "-"];
    let mut dialogue = Dialogue::with(backsight().args(args));
    let mut lines = Vec::new();
    for addr in [libc, sleep, libc] {
        dialogue.ask(&format!("{addr:x}\n"));
        loop {
            lines.push(dialogue.line());
            if lines.last().unwrap().contains(r#""type":"address""#) {
                break;
            }
        }
    }
    dialogue.end();
    let lines = json(&lines.concat());
    assert_eq!(of_type(&lines, "module").len(), 2);
    let modules: Vec<_> = of_type(&lines, "address")
        .iter()
        .map(|line| line["module"].clone())
        .collect();
    assert_eq!(modules, [0, 1, 0]);
}

#[test]
fn standard_input_is_answered_line_by_line() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let mut dialogue = Dialogue::with(backsight().args(["normalize", "-p", &pid, "-"]));
    let libc = common::code_of(child.0.id(), "libc");
    for (ask, want) in [("10\n", "[unmapped]"), (&*format!("{libc:#x}\n"), "libc")] {
        dialogue.ask(ask);
        let line = dialogue.line();
        assert!(line.contains(want), "{line}");
    }
    dialogue.end();
}

#[test]
fn a_malformed_line_is_named_and_the_rest_goes_on() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let input = b"10\n\n# comment\n0xzz 20\n11111111111111111\n30";
    let ran = run_with(["normalize", "-p", &pid, "-"], input);
    ran.fails(
        0,
        &[
            "line 4: not a hexadecimal address: \"0xzz\"",
            "line 5: more than 64 bits",
        ],
    );
    let got: Vec<_> = ran.stdout.lines().map(|line| &line[..4]).collect();
    assert_eq!(got, ["0x10", "0xzz", "0x20", "1111", "0x30"]);
    let strict = run_with(["normalize", "-p", &pid, "--strict", "-"], b"zz\n");
    strict.fails(3, &["line 1"]);
}

#[test]
fn strict_says_by_its_code_that_an_address_is_unresolved() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let libc = format!("{:x}", common::code_of(child.0.id(), "libc"));
    run(["normalize", "-p", &pid, "--strict", &libc]).ok();
    run(["normalize", "-p", &pid, &libc, "10"]).ok();
    let strict = run(["normalize", "-p", &pid, "--strict", &libc, "10"]);
    assert_eq!((strict.code, strict.stdout.lines().count()), (Some(3), 2));
}

#[test]
fn an_empty_batch_is_no_failure() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let ran = run(["normalize", "-p", &pid]);
    ran.fails(2, &["no addresses given"]);
    assert_eq!(ran.stdout, "");
    for input in ["", "\n\n", "# nothing\n"] {
        assert_eq!(
            run_with(["normalize", "-p", &pid, "-"], input.as_bytes()).ok(),
            ""
        );
        let lines = run_with(
            ["normalize", "-p", &pid, "--format", "json", "-"],
            input.as_bytes(),
        );
        let lines = json(&lines.ok());
        assert_eq!((lines.len(), &lines[0]["type"]), (1, &"header".into()));
    }
}

#[test]
fn return_addresses_stay_as_they_were_captured() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let input = b"10 20\n30\n\n40\n50\n";
    let args = ["normalize", "-p", &pid, "--stack", "--format", "json", "-"];
    let lines = json(&run_with(args, input).ok());
    let got: Vec<_> = of_type(&lines, "address")
        .iter()
        .map(|line| (line["address"].clone(), line["lookup"].clone()))
        .collect();
    let want = [
        ("0x10", "exact"),
        ("0x20", "return"),
        ("0x30", "return"),
        ("0x40", "exact"),
        ("0x50", "return"),
    ];
    assert_eq!(got, want.map(|(addr, lookup)| (addr.into(), lookup.into())));
}

#[test]
fn answers_can_go_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let child = sleeping();
    let pid = child.0.id().to_string();
    let path = dir.path().join("out.ndjson");
    let to = path.to_str().unwrap();
    assert_eq!(run(["normalize", "-p", &pid, "-o", to, "10"]).ok(), "");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "0x10               [unmapped]\n"
    );
    let nowhere = run(["normalize", "-p", &pid, "-o", "/no/such/dir/x", "10"]);
    nowhere.fails(1, &["/no/such/dir/x: No such file"]);
}

#[test]
fn options_narrow_what_is_asked_of_files() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let libc = format!("{:x}", common::code_of(child.0.id(), "libc"));
    let module = |more: &[&str]| {
        let args = ["normalize", "-p", &pid, "--format", "json", &libc];
        let lines = json(&run(args.iter().chain(more)).ok());
        of_type(&lines, "module").remove(0)
    };
    let full = module(&[]);
    assert!(full["build_id"].is_string() && full["segments"].is_array());
    let bare = module(&["--build-id", "none", "--virtual-offset", "never"]);
    assert!(bare.get("build_id").is_none() && bare.get("segments").is_none());
    for more in [
        &["--build-id", "file"][..],
        &["--map-files"],
        &["--map-files=never"],
    ] {
        assert_eq!(module(more)["build_id"], full["build_id"], "{more:?}");
    }
}

#[test]
fn a_malformed_text_is_named_with_its_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        file.path(),
        "1000-2000 r-xp 00000000 fe:00 1 /x\nnonsense\n",
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    run(["normalize", "--maps", path, "1000"]).fails(1, &[path, "line 2"]);
}
