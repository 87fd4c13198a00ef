//! `record --off-cpu`: each wait counts, from when it is known to the end of the recording.

mod common;

use std::fs;
use std::iter::zip;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, backsight};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;

const MILLISECOND: u64 = 1_000_000;

/// A directory, and the program that waits. `None` where nothing can be sampled.
fn place() -> Option<(tempfile::TempDir, String)> {
    let program = busy(true).inspect_err(|reason| skip(reason)).ok()?;
    let program = program.to_str()?.to_owned();
    let dir = tempfile::tempdir().unwrap();
    let args = ["-F", "997", "-o", "tried.folded", "--", &program, "spin"];
    let tried = record(dir.path(), &[&args[..], &["100"]].concat());
    if tried.code == Some(1) {
        skip(&tried.stderr);
        return None;
    }
    Some((dir, program))
}

fn record(dir: &Path, args: &[&str]) -> Ran {
    let mut command = backsight();
    command.current_dir(dir).arg("record").args(args);
    Ran::from(command.output().unwrap())
}

/// A process that waits for as long as a test may take.
fn waiting(program: &str) -> KillOnDrop {
    let mut command = Command::new(program);
    let command = command.args(["nap", "1", "600000"]).stdout(Stdio::null());
    let process = KillOnDrop(command.spawn().unwrap());
    let stat = format!("/proc/{}/stat", process.pid());
    common::wait_until("sleep", || {
        let stat = fs::read_to_string(&stat).unwrap();
        let wchan =
            fs::read_to_string(format!("/proc/{}/wchan", process.pid())).unwrap_or_default();
        stat.contains(") S ") && wchan.contains("nanosleep")
    });
    process
}

/// Returns the waits of a profile: stacks and nanoseconds.
fn waits(profile: &Path) -> Vec<(String, u64)> {
    let mut convert = backsight();
    convert.arg("convert").arg(profile);
    let ran = Ran::from(
        convert
            .args(["-", "--to", "folded", "--off-cpu", "-q"])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran
        .stdout
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap());
    let lines = lines.map(|(stack, value)| (stack.to_owned(), value.parse().unwrap()));
    lines.collect()
}

/// Returns the duration of a profile, in nanoseconds.
fn duration(profile: &Path) -> u64 {
    let mut convert = backsight();
    let command = convert.arg("convert").arg(profile);
    let ran = Ran::from(
        command
            .args(["-", "--to", "ndjson", "-q"])
            .output()
            .unwrap(),
    );
    let lines = common::json(&ran.stdout);
    let told = lines.iter().find_map(|line| line["duration_ns"].as_u64());
    told.expect(&ran.stdout)
}

fn sum(stacks: &[(String, u64)], words: &str) -> u64 {
    let found = stacks.iter().filter(|(stack, _)| stack.contains(words));
    found.map(|(_, value)| value).sum()
}

/// Nothing of the target happens after the wait has begun.
#[test]
fn a_wait_that_goes_on_counts_up_to_the_end() {
    let Some((dir, program)) = place() else {
        return;
    };
    let args = ["--off-cpu", "-q", "-d", "1", "-o", "a.pb.gz", "--"];
    let ran = record(
        dir.path(),
        &[&args[..], &[&program, "both", "50", "1", "2500"]].concat(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let all = waits(&dir.path().join("a.pb.gz"));
    let napped = sum(&all, "nanosleep");
    // The rest of a second, of which the program ran for 50 ms.
    assert!(
        (200 * MILLISECOND..2400 * MILLISECOND).contains(&napped),
        "{all:?}"
    );
}

#[test]
fn a_thread_that_never_runs_has_waited_from_the_begin_to_the_end() {
    let Some((dir, program)) = place() else {
        return;
    };
    let process = waiting(&program);
    let pid = process.pid().to_string();
    for kernel in [&[][..], &["--no-kernel"]] {
        let args = ["--off-cpu", "-p", &pid, "-d", "1", "-o", "a.pb.gz"];
        let ran = record(dir.path(), &[&args[..], kernel].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let words = "1 thread waited already when the recording began";
        assert!(ran.stderr.contains(words), "{ran:?}");
        let all = waits(&dir.path().join("a.pb.gz"));
        let unknown = sum(&all, ";[stack-not-recorded]");
        assert!(
            (500 * MILLISECOND..5000 * MILLISECOND).contains(&unknown),
            "{all:?}"
        );
    }
}

#[test]
fn each_interval_has_its_part_of_a_wait() {
    let Some((dir, program)) = place() else {
        return;
    };
    let process = waiting(&program);
    let pid = process.pid().to_string();
    let args = ["--off-cpu", "-q", "-p", &pid, "-d", "4", "--every", "1"];
    let ran = record(dir.path(), &[&args[..], &["-o", "many"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let files = fs::read_dir(dir.path().join("many")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    let part = |file| sum(&waits(file), ";[stack-not-recorded]");
    let parts: Vec<u64> = files.iter().map(|file| part(file)).collect();
    // The time of a file is that of its interval, not that between its first and last sample:
    // this thread has one.
    let durations: Vec<u64> = files.iter().map(|file| duration(file)).collect();
    let all = zip(&parts, &durations);
    for (part, duration) in all {
        assert!(*part < duration * 11 / 10, "{parts:?} in {durations:?}");
    }
    let whole: u64 = durations.iter().sum();
    assert!(
        (3900 * MILLISECOND..8000 * MILLISECOND).contains(&whole),
        "{durations:?}"
    );
    let whole: u64 = parts.iter().sum();
    assert!(parts.len() > 1, "{parts:?}");
    assert!(
        (3000 * MILLISECOND..8000 * MILLISECOND).contains(&whole),
        "{parts:?}"
    );
    // None has what belongs to the others.
    assert!(parts.iter().all(|part| *part < whole * 9 / 10), "{parts:?}");
}

/// Switches happen in the kernel, and are recorded also if the kernel is not.
#[test]
fn without_the_kernel_waits_have_the_stack_of_the_program() {
    let Some((dir, program)) = place() else {
        return;
    };
    for how in ["fp", "dwarf"] {
        let args = ["--off-cpu", "--no-kernel", "--call-graph", how, "-F", "997"];
        let rest = ["-o", "a.pb.gz", "--", &program, "both", "100", "4", "100"];
        let ran = record(dir.path(), &[&args[..], &rest].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stderr.contains("is left out: to record it"), "{ran:?}");
        let slept: u64 = ran.stdout.trim().parse().unwrap();
        let all = waits(&dir.path().join("a.pb.gz"));
        if ran.stderr.contains("off-cpu-last-stack") {
            // This user may not observe the kernel.
            assert!(sum(&all, "main;") * 100 >= slept * 95, "{all:?}");
            continue;
        }
        let napped = sum(&all, "nanosleep");
        assert!(
            napped.abs_diff(slept) * 20 <= slept,
            "{how}: {napped} of {slept}: {all:?}"
        );
        assert_eq!(sum(&all, "schedule"), 0, "{how}: {all:?}");
    }
}
