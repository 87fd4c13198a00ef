//! `record`: what is written where, and what is there afterwards.

mod common;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ran, backsight};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;

/// A directory for outputs, and the program to sample.
struct Place {
    dir: tempfile::TempDir,
    busy: PathBuf,
}

impl Place {
    /// `None` where nothing can be sampled, or there is no compiler.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let busy = busy(true).inspect_err(|reason| skip(reason)).ok()?;
        let place = Self { dir, busy };
        let tried = place.record(&["-o", "tried.folded"], 100);
        if tried.code == Some(1) {
            skip(&tried.stderr);
            return None;
        }
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = backsight();
        let command_line = command.current_dir(self.dir.path()).arg("record");
        command_line.args(["-F", "997"]).args(args);
        command
    }

    /// Records so many milliseconds of the program.
    fn record(&self, args: &[&str], millis: u32) -> Ran {
        let mut command = self.command(args);
        let ran = command.arg("--").arg(&self.busy);
        Ran::from(ran.args(["spin", &millis.to_string()]).output().unwrap())
    }
}

/// Returns the number of samples that a recording says that it took.
fn samples_said(stderr: &str) -> u64 {
    let line = stderr.lines().find(|line| line.contains(" samples, "));
    let words: Vec<&str> = line.expect(stderr).split(' ').collect();
    let at = words.iter().position(|word| *word == "samples,").unwrap();
    words[at - 1].parse().unwrap()
}

/// Returns the number of samples of an NDJSON profile.
fn samples_in(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| line.starts_with("{\"type\":\"sample\""))
        .count()
        .try_into()
        .unwrap()
}

#[test]
fn the_files_of_all_intervals_have_all_samples() {
    let Some(place) = Place::new() else {
        return;
    };
    let process = Command::new(&place.busy)
        .args(["spin", "20000"])
        .stdout(Stdio::null())
        .spawn();
    let process = KillOnDrop(process.unwrap());
    let pid = process.pid().to_string();
    let mut said = 0;
    // The second recording has the files of the first one in its directory.
    for _ in 0..2 {
        let args = [
            "-p",
            &pid,
            "-d",
            "1",
            "--every",
            "50ms",
            "--normalize-only",
            "--to",
            "ndjson",
            "-o",
            "many",
        ];
        let ran = Ran::from(place.command(&args).output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        said += samples_said(&ran.stderr);
    }
    let files = fs::read_dir(place.path("many")).unwrap();
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 2, "{files:?}");
    let found: u64 = files.iter().map(|file| samples_in(file)).sum();
    assert_eq!(found, said, "{files:?}");
}

#[test]
fn an_open_file_is_written_and_not_replaced() {
    let Some(place) = Place::new() else {
        return;
    };
    std::os::unix::fs::symlink("/dev/stdout", place.path("linked")).unwrap();
    let process = place.record(&["-o", "a.ndjson"], 50);
    assert_eq!(process.code, Some(0), "{process:?}");
    for name in ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1", "linked"] {
        for args in [
            &[
                "record", "-F", "997", "-q", "--to", "folded", "-o", name, "--", "BUSY",
            ][..],
            &["convert", "-q", "--to", "folded", "a.ndjson", name],
        ] {
            let mut kept = tempfile::tempfile().unwrap();
            // The shell, or the program before, has written something.
            kept.write_all(b"before\n").unwrap();
            let mut command = backsight();
            command.current_dir(place.dir.path());
            for arg in args {
                match *arg {
                    "BUSY" => command.arg(&place.busy).args(["spin", "50"]),
                    arg => command.arg(arg),
                };
            }
            let out: File = kept.try_clone().unwrap();
            let ran = Ran::from(command.stdout(out).output().unwrap());
            assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
            let mut text = String::new();
            kept.seek(SeekFrom::Start(0)).unwrap();
            kept.read_to_string(&mut text).unwrap();
            assert!(
                text.starts_with("before\n") && text.contains(";work"),
                "{args:?}: {text}"
            );
        }
    }
}

#[test]
fn without_samples_an_old_profile_is_kept() {
    let Some(place) = Place::new() else {
        return;
    };
    let sleeping = Command::new("sleep").arg("60").spawn().unwrap();
    let sleeping = KillOnDrop(sleeping);
    let pid = sleeping.pid().to_string();
    fs::write(place.path("old.svg"), "old").unwrap();
    for quiet in [&[][..], &["-q"]] {
        for name in ["old.svg", "new.svg"] {
            let args = [&["-p", &pid, "-d", "100ms", "-o", name], quiet].concat();
            let ran = Ran::from(place.command(&args).output().unwrap());
            ran.fails(1, &["no samples", "nothing is written"]);
        }
        let args = [
            &["-p", &pid, "-d", "100ms", "--every", "20ms", "-o", "many"],
            quiet,
        ]
        .concat();
        let ran = Ran::from(place.command(&args).output().unwrap());
        ran.fails(1, &["no samples"]);
    }
    assert_eq!(fs::read_to_string(place.path("old.svg")).unwrap(), "old");
    assert!(!place.path("new.svg").exists());
    assert_eq!(fs::read_dir(place.path("many")).unwrap().count(), 0);
}

#[test]
fn each_process_that_is_started_counts_once() {
    let Some(place) = Place::new() else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    // Each of the ten is forked, and calls execve.
    let script = format!("for i in 0 1 2 3 4 5 6 7 8 9; do {busy} spin 10 >/dev/null; done");
    let mut command = place.command(&["-o", "a.folded", "--", "/bin/sh", "-c", &script]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = ran.stderr.contains(" 10 processes started");
    assert!(said, "{ran:?}");
}

#[test]
fn more_samples_than_the_kernel_allows_are_wrong_usage() {
    let Some(place) = Place::new() else {
        return;
    };
    let limit = fs::read_to_string("/proc/sys/kernel/perf_event_max_sample_rate").unwrap();
    let args = ["-F", "100000000", "-o", "a.folded"];
    let mut command = backsight();
    command
        .current_dir(place.dir.path())
        .arg("record")
        .args(args);
    let ran = Ran::from(command.args(["--", "touch", "made"]).output().unwrap());
    ran.fails(2, &["perf_event_max_sample_rate", limit.trim()]);
    assert!(!place.path("made").exists());
}
