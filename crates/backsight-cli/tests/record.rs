//! `record`: a target is sampled, and a profile with functions is written.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use common::{Ran, backsight, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;

fn run(command: &mut Command) -> Ran {
    Ran::from(command.output().expect("the command runs"))
}

/// A directory for outputs, and the program to sample.
struct Place {
    dir: tempfile::TempDir,
    busy: PathBuf,
}

impl Place {
    /// `None` where nothing can be sampled, or there is no compiler.
    fn new(has_frame_pointers: bool) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let busy = match busy(has_frame_pointers) {
            Ok(busy) => busy,
            Err(reason) => {
                skip(&reason);
                return None;
            }
        };
        let place = Self { dir, busy };
        let program = place.busy.to_str().unwrap();
        let args = [
            "-F",
            "997",
            "-o",
            "tried.folded",
            "--",
            program,
            "spin",
            "100",
        ];
        let tried = place.record(&args);
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
        command
            .current_dir(self.dir.path())
            .arg("record")
            .args(args);
        command
    }

    fn record(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    /// Runs the program.
    fn start(&self, args: &[&str]) -> KillOnDrop {
        let mut command = Command::new(&self.busy);
        KillOnDrop(command.args(args).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Returns the stacks of a file, each with its value.
    fn stacks(&self, name: &str, args: &[&str]) -> Vec<(String, u64)> {
        let mut convert = backsight();
        convert
            .current_dir(self.dir.path())
            .args(["convert", name, "out.folded", "-q"]);
        let ran = run(convert.args(args));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        folded(&self.path("out.folded"))
    }
}

fn folded(path: &Path) -> Vec<(String, u64)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| line.rsplit_once(' ').unwrap());
    lines
        .map(|(stack, value)| (stack.to_owned(), value.parse().unwrap()))
        .collect()
}

/// Returns the sum of the values of stacks that have all these functions, in this order.
fn sum(stacks: &[(String, u64)], functions: &[&str]) -> u64 {
    let has = |stack: &str| {
        let mut all = stack.split(';');
        functions
            .iter()
            .all(|function| all.any(|frame| frame == *function))
    };
    stacks
        .iter()
        .filter(|(stack, _)| has(stack))
        .map(|(_, value)| value)
        .sum()
}

/// Checks that `hot` took three quarters, and that nearly all samples have the callers, too.
#[track_caller]
fn is_hot(stacks: &[(String, u64)], at_least: u64) {
    let all = sum(stacks, &[]);
    let [hot, warm] = ["hot", "warm"].map(|leaf| sum(stacks, &["main", "spin", "work", leaf]));
    assert!(all >= at_least, "{all} samples");
    assert!(
        (hot + warm) * 100 >= all * 90,
        "{hot} + {warm} of {all}: {stacks:?}"
    );
    let share = hot * 100 / (hot + warm);
    assert!((67..=83).contains(&share), "{share} %: {stacks:?}");
}

#[test]
fn a_command_is_recorded_from_its_first_to_its_last_function() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    let args = ["-F", "997", "-o", "out.pb.gz", "--", busy, "spin", "700"];
    let ran = place.record(&args);
    assert_eq!((ran.code, &*ran.stdout), (Some(0), "0\n"), "{ran:?}");
    for words in [
        "hottest functions",
        "hot  (testkit-busy",
        " 0 lost",
        "out.pb.gz",
    ] {
        assert!(ran.stderr.contains(words), "{words:?}: {}", ran.stderr);
    }
    is_hot(&place.stacks("out.pb.gz", &[]), 200);
}

#[test]
fn each_format_has_the_same_functions() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    for name in ["a.folded", "a.ndjson", "a.otlp", "a.pb", "a.json", "a.svg"] {
        let ran = place.record(&["-F", "997", "-q", "-o", name, "--", busy, "spin", "300"]);
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{name}: {ran:?}");
        match name {
            "a.folded" => {
                let stacks = folded(&place.path(name));
                assert!(
                    stacks
                        .iter()
                        .all(|(stack, _)| stack.starts_with("testkit-busy"))
                );
                is_hot(&stacks, 50);
            }
            "a.json" | "a.svg" => {
                let text = fs::read_to_string(place.path(name)).unwrap();
                assert!(
                    ["hot", "warm", "main"].iter().all(|it| text.contains(it)),
                    "{name}"
                );
            }
            _ => is_hot(&place.stacks(name, &[]), 50),
        }
    }
}

#[test]
fn a_process_that_runs_already_is_recorded() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let process = place.start(&["spin", "20000"]);
    let pid = process.pid().to_string();
    let args = [
        "-p",
        &pid,
        "-F",
        "997",
        "-d",
        "0.7",
        "-q",
        "-o",
        "out.pb.gz",
    ];
    let ran = place.record(&args);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    is_hot(&place.stacks("out.pb.gz", &[]), 50);
}

#[test]
fn recording_ends_with_the_process() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let mut process = place.start(&["spin", "500"]);
    let pid = process.pid().to_string();
    // Somebody has to wait for it: a zombie is still there.
    let waiting = thread::spawn(move || process.0.wait());
    let ran = place.record(&[
        "-p",
        &pid,
        "-F",
        "499",
        "-d",
        "60",
        "-q",
        "-o",
        "out.folded",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(waiting.join().unwrap().unwrap().success());
}

#[test]
fn stacks_are_unwound_without_frame_pointers() {
    let Some(place) = Place::new(false) else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    let args = [
        "--call-graph",
        "dwarf",
        "-F",
        "997",
        "-q",
        "-o",
        "out.folded",
        "--",
        busy,
    ];
    let ran = place.record(&[&args[..], &["spin", "600"]].concat());
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    is_hot(&folded(&place.path("out.folded")), 200);
}

#[test]
fn the_time_that_threads_wait_is_that_of_the_clock() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    for (args, function) in [
        (&["nap", "5", "100"][..], "nap"),
        (&["blocked", "400"], "blocked"),
    ] {
        let flags = [
            "--off-cpu",
            "--call-graph",
            "dwarf",
            "-q",
            "-o",
            "out.pb.gz",
            "--",
            busy,
        ];
        let ran = place.record(&[&flags[..], args].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let slept: u64 = ran.stdout.trim().parse().unwrap();
        let stacks = place.stacks("out.pb.gz", &["--sample-type", "context-switches"]);
        let mut found = sum(&stacks, &["main", function]);
        if function == "blocked" {
            // It also sleeps before, and waits for the other thread to start and to end.
            found = sum(&stacks, &["main", function, "___pthread_mutex_lock"]);
        }
        let off = found.abs_diff(slept);
        assert!(off * 50 <= slept, "{found} ns, not {slept}: {stacks:?}");
    }
}

#[test]
fn a_file_is_written_for_each_interval() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let process = place.start(&["spin", "20000"]);
    let pid = process.pid().to_string();
    let args = [
        "-p", &pid, "-F", "499", "-d", "4.5", "--every", "1500ms", "-q", "-o", "many",
    ];
    let begin = Instant::now();
    let ran = place.record(&args);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let mut files: Vec<PathBuf> = fs::read_dir(place.path("many"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    // The last one may have a moment only.
    let most = usize::try_from(begin.elapsed().as_millis() / 1500).unwrap() + 1;
    assert!((2..=most).contains(&files.len()), "{files:?}");
    for file in files.iter().take(files.len() - 1) {
        is_hot(&place.stacks(file.to_str().unwrap(), &[]), 30);
    }
}

#[test]
fn normalized_recordings_get_their_functions_later() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    let args = [
        "--normalize-only",
        "-F",
        "997",
        "-q",
        "-o",
        "out.ndjson",
        "--",
        busy,
    ];
    let ran = place.record(&[&args[..], &["spin", "500"]].concat());
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let text = fs::read_to_string(place.path("out.ndjson")).unwrap();
    assert!(text.contains("build_id") && !text.contains("\"work\""));
    is_hot(&place.stacks("out.ndjson", &[]), 100);
}

#[test]
fn a_signal_ends_the_recording_and_the_file_is_whole() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let process = place.start(&["spin", "60000"]);
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let pid = process.pid().to_string();
        let args = ["-p", &pid, "-F", "499", "--every", "200ms", "-o", "seen"];
        let _ = fs::remove_dir_all(place.path("seen"));
        // A shell's background ignores SIGINT, and what it starts then does, too.
        let recorder = place.command(&args);
        let mut recorder: Child = Command::new("env")
            .args(["--default-signal=INT".as_ref(), recorder.get_program()])
            .args(recorder.get_args())
            .current_dir(place.dir.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let seen = place.path("seen");
        wait_until("a file", || {
            fs::read_dir(&seen).is_ok_and(|mut files| files.next().is_some())
        });
        kill(Pid::from_raw(recorder.id().try_into().unwrap()), signal).unwrap();
        assert!(recorder.wait().unwrap().success(), "{signal}");
        for file in fs::read_dir(place.path("seen")).unwrap() {
            let path = file.unwrap().path();
            place.stacks(path.to_str().unwrap(), &[]);
        }
    }
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let Some(place) = Place::new(true) else {
        return;
    };
    let busy = place.busy.to_str().unwrap();
    for (end, want) in [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)] {
        let script = &format!("{busy} spin 50; {end}");
        let args = [
            "-F", "997", "-q", "-o", "a.folded", "--", "/bin/sh", "-c", script,
        ];
        let ran = place.record(&args);
        assert_eq!(ran.code, Some(want), "{script}: {ran:?}");
    }
    let ran = place.record(&["-o", "none.svg", "--", "no-such-program"]);
    ran.fails(127, &["no-such-program: command not found"]);
    let ran = place.record(&["-o", "none.svg", "--", "/etc/passwd"]);
    ran.fails(126, &["/etc/passwd: Permission denied"]);
    assert!(!place.path("none.svg").exists());
}
