//! The examples: compiled against the installed library, run under the address sanitizer, and
//! compared with the command, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::command;
use super::common::{Link, compile, here, program, run};
use testkit::skip;
use testkit::target::{Target, recording};

/// Of a program of Rust no leak is known; `detect_leaks` is on by default, and said here.
const SANITIZED: [&str; 2] = ["-fsanitize=address", "-fno-omit-frame-pointer"];

fn sanitized(command: &mut Command) -> &mut Command {
    // Under ptrace, and where it is not allowed, the search for leaks fails and says so.
    command.env(
        "ASAN_OPTIONS",
        "detect_leaks=1:abort_on_error=0:exitcode=99",
    )
}

/// Compiles an example for the address sanitizer, or without it where there is none.
fn example(name: &str) -> Result<PathBuf, String> {
    let source = here("examples").join(name);
    compile(&source, Link::Shared, &SANITIZED)
}

#[test]
fn the_stack_of_a_live_process_is_named_as_by_the_command() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let target = match Target::start() {
        Ok(target) => target,
        Err(why) => return skip(&why),
    };
    let mut stack = target.stack.clone();
    assert!(stack.len() >= 6, "{stack:?}");
    // Nothing is there.
    stack.push("0x10".to_owned());
    let mut asked = Command::new(backsight);
    asked
        .args(["symbolize", "-p", &target.pid(), "--stack"])
        .args(&stack);
    let wanted = run(&mut asked);
    assert!(wanted.contains("inlined [inlined]"), "{wanted}");
    assert_eq!(wanted.matches(" outer").count(), 4, "{wanted}");
    for name in ["name_stack.c", "name_stack.cpp"] {
        for link in [Link::Shared, Link::Static] {
            let built = compile(&here("examples").join(name), link, &SANITIZED);
            let built = match built {
                Ok(built) => built,
                Err(why) => return skip(&why),
            };
            let mut command = program(&built);
            command.arg(target.pid()).args(&stack);
            assert_eq!(run(sanitized(&mut command)), wanted, "{name} {link:?}");
        }
    }
}

#[test]
fn a_process_that_is_not_there_is_said() {
    let built = match example("name_stack.c") {
        Ok(built) => built,
        Err(why) => return skip(&why),
    };
    // PIDs are below 2^22.
    let mut asked = program(&built);
    let done = sanitized(asked.args(["4194305", "0x10"])).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = super::common::text(&done.stderr);
    assert_eq!(said, "process 4194305: no such process\n");
}

#[test]
fn a_recording_becomes_the_profile_that_the_command_writes() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let built = match example("perf_to_pprof.c") {
        Ok(built) => built,
        Err(why) => return skip(&why),
    };
    let recording = match recording() {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let data = &recording.data;
    let dir = tempfile::tempdir().unwrap();
    let (ours, wanted) = (
        dir.path().join("ours.pb.gz"),
        dir.path().join("wanted.pb.gz"),
    );
    let mut asked = Command::new(backsight);
    run(asked.arg("convert").arg(data).arg(&wanted));
    let mut command = program(&built);
    command.arg(data).arg(&ours);
    run(sanitized(&mut command));
    let (ours, wanted) = (fs::read(&ours).unwrap(), fs::read(&wanted).unwrap());
    assert!(!wanted.is_empty());
    assert!(
        ours == wanted,
        "{} and {} bytes differ",
        ours.len(),
        wanted.len()
    );
    assert_eq!(parts(dir.path()), 0);
}

/// Each format that is written, of a recording and of what was written before: the same bytes as
/// the command's.
#[test]
fn formats_are_those_of_the_command() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let built = match compile(&here("tests/c/convert.c"), Link::Shared, &SANITIZED) {
        Ok(built) => built,
        Err(why) => return skip(&why),
    };
    let recording = match recording() {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let dir = tempfile::tempdir().unwrap();
    let convert = |from: &Path, end: &str, has_times: bool| {
        let name = from.file_name().unwrap().to_string_lossy();
        let [ours, wanted] =
            ["ours", "wanted"].map(|it| dir.path().join(format!("{name}-{it}.{end}")));
        run(Command::new(&backsight)
            .arg("convert")
            .arg(from)
            .arg(&wanted));
        let mut command = program(&built);
        command
            .arg(from)
            .arg(&ours)
            .args(has_times.then_some("times"));
        run(sanitized(&mut command));
        let (mine, theirs) = (fs::read(&ours).unwrap(), fs::read(&wanted).unwrap());
        assert!(!theirs.is_empty());
        assert!(mine == theirs, "{name} to {end}: see {}", ours.display());
        wanted
    };
    let summed = ["pb.gz", "pb", "folded"].map(|end| convert(&recording.data, end, false));
    let timed =
        ["ndjson", "json", "speedscope.json"].map(|end| convert(&recording.data, end, true));
    for again in &summed {
        convert(again, "pb.gz", false);
    }
    let [ndjson, _, speedscope] = &timed;
    convert(ndjson, "pb.gz", false);
    convert(ndjson, "ndjson", true);
    convert(speedscope, "folded", false);
    convert(speedscope, "speedscope.json", true);
    // Times that were summed up are not written as if there had been none.
    let mut command = program(&built);
    command
        .arg(&recording.data)
        .arg(dir.path().join("x.ndjson"));
    let done = sanitized(&mut command).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = super::common::text(&done.stderr);
    assert!(said.contains("BACKSIGHT_PROFILE_TIMES"), "{said}");
}

/// What an output that was not finished would leave.
fn parts(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().flatten();
    names
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "part"))
        .count()
}

#[test]
fn the_calling_thread_has_its_own_stack() {
    let built = match example("own_stack.c") {
        Ok(built) => built,
        Err(why) => return skip(&why),
    };
    let said = run(sanitized(&mut program(&built)));
    let source = fs::read_to_string(here("examples/own_stack.c")).unwrap();
    let line_of = |text: &str| source.lines().position(|line| line.contains(text)).unwrap() + 1;
    let first = said.lines().next().unwrap_or_default();
    let called = line_of("  print_stack(self, answers);");
    assert!(first.starts_with("main "), "{said}");
    assert!(first.ends_with(&format!("own_stack.c:{called}")), "{said}");
    assert!(said.contains("__libc_start"), "{said}");
}

#[test]
fn examples_are_short() {
    let mut count = 0;
    for entry in fs::read_dir(here("examples")).unwrap().flatten() {
        let source = fs::read_to_string(entry.path()).unwrap();
        let is_code = |line: &&str| {
            let line = line.trim();
            let is_comment = ["//", "/*", "*"]
                .iter()
                .any(|begin| line.starts_with(begin));
            !line.is_empty() && line != "}" && !is_comment && !line.starts_with("#include")
        };
        let lines = source.lines().filter(is_code).count();
        assert!(lines < 30, "{}: {lines} lines", entry.path().display());
        count += 1;
    }
    assert_eq!(count, 4);
}
