//! `record`: what a recording lacks is said, with the true reason.

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use common::{Ran, backsight, public_copy, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::{skip, tools};

/// A directory, and a program that runs. `None` where nothing can be sampled.
fn place() -> Option<(tempfile::TempDir, String)> {
    let program = busy(true).inspect_err(|reason| skip(reason)).ok()?;
    let program = program.to_str()?.to_owned();
    let dir = tempfile::tempdir().unwrap();
    let mut command = backsight();
    command.current_dir(dir.path()).arg("record");
    let args = ["-F", "997", "-o", "tried.folded", "--", &program, "spin"];
    let tried = Ran::from(command.args(args).arg("100").output().unwrap());
    if tried.code == Some(1) {
        skip(&tried.stderr);
        return None;
    }
    Some((dir, program))
}

fn record(dir: &tempfile::TempDir, args: &[&str]) -> Ran {
    let mut command = backsight();
    command.current_dir(dir.path()).arg("record").args(args);
    Ran::from(command.output().unwrap())
}

const DEEP: &str = "
#include <time.h>
volatile unsigned long sink;
__attribute__((noinline)) int down(int depth) {
    if (depth) { int found = down(depth - 1); sink++; return found; }
    clock_t end = clock() + CLOCKS_PER_SEC / 2;
    while (clock() < end) for (int i = 0; i < 100000; i++) sink += i;
    return 1;
}
int main(void) { return !down(500); }
";

#[test]
fn stacks_that_the_kernel_cuts_are_counted() {
    let Some((dir, _)) = place() else { return };
    let flags = ["-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"];
    let deep = match tools::compile("deep-stacks", DEEP, &flags) {
        Ok(deep) => deep,
        Err(reason) => return skip(&reason),
    };
    let deep = deep.to_str().unwrap();
    let ran = record(&dir, &["-F", "997", "-o", "a.folded", "--", deep]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let most = fs::read_to_string("/proc/sys/kernel/perf_event_max_stack").unwrap();
    let words = format!("stacks are cut at {} frames", most.trim());
    assert!(ran.stderr.contains(&words), "{words}: {ran:?}");
    // The same, counted in what was written.
    let text = fs::read_to_string(dir.path().join("a.folded")).unwrap();
    let most: usize = most.trim().parse().unwrap();
    let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    // The first word of a line is the name of the process.
    let cut = text
        .lines()
        .filter(|line| line.matches(';').count() >= most);
    let cut: u64 = cut.map(count).sum();
    let said = ran.stderr.split(" stacks are cut").next().unwrap();
    let said = said.rsplit(' ').nth(2).unwrap();
    assert_eq!(said.parse::<u64>().ok(), Some(cut), "{ran:?}");
    // The other way cuts at the recorded memory.
    let args = ["-F", "997", "--call-graph", "dwarf", "-o", "a.folded"];
    let ran = record(&dir, &[&args[..], &["--", deep]].concat());
    assert!(
        ran.stderr.contains("where the recorded memory ends"),
        "{ran:?}"
    );
}

/// The kernel removes the events from a process that executes a file that its user may not read.
#[test]
fn processes_that_vanish_from_the_recording_are_counted() {
    let Some((_, program)) = place() else { return };
    let (dir, command) = public_copy();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let hidden = dir.path().join("hidden");
    testkit::copy(program, &hidden).unwrap();
    let seen = dir.path().join("seen");
    testkit::copy(&hidden, &seen).unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o111)).unwrap();
    let record = |name: &str, script: &str| {
        let mut recorder = Command::new(&command);
        recorder.current_dir(dir.path()).env("HOME", dir.path());
        recorder.args([
            "record", "-q", "-F", "997", "-o", name, "--", "/bin/sh", "-c", script,
        ]);
        if testkit::user::is_root() {
            recorder.uid(65534).gid(65534);
        }
        Ran::from(recorder.output().unwrap())
    };
    let ran = record("seen.folded", "./seen spin 200");
    if ran.stderr.contains("permission denied to sample") {
        return skip(&ran.stderr);
    }
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let words = "that this user may not observe (set-user-ID, or not readable)";
    let ran = record(
        "both.folded",
        "./seen spin 200; ./hidden spin 200; ./hidden spin 200",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let both = format!("2 processes became programs {words}");
    assert!(ran.stderr.contains(&both), "{ran:?}");
    let ran = record("none.folded", "exec ./hidden spin 200");
    assert!(ran.stderr.contains(words), "{ran:?}");
    assert!(!ran.stderr.contains("raise -F"), "{ran:?}");
}

#[test]
fn why_there_are_no_samples_comes_before_advice() {
    let Some((dir, program)) = place() else {
        return;
    };
    let sleeping = common::sleeping();
    let pid = sleeping.pid().to_string();
    let ran = record(&dir, &["-p", &pid, "-d", "100ms", "-o", "a.folded"]);
    ran.fails(1, &[&format!("process {pid} sleeps: --off-cpu records")]);
    assert!(!ran.stderr.contains("raise -F"), "{ran:?}");
    // What runs is a child that was there before.
    let mut parent = Command::new("/bin/sh");
    let script = format!("{program} spin 600000 & echo; wait");
    parent.args(["-c", &script]).process_group(0);
    let mut parent = KillOnDrop(parent.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = [0];
    parent
        .0
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut line)
        .unwrap();
    let pid = parent.pid().to_string();
    let ran = record(&dir, &["-p", &pid, "-d", "100ms", "-o", "a.folded"]);
    let group = Pid::from_raw(parent.pid().try_into().unwrap());
    nix::sys::signal::killpg(group, Signal::SIGKILL).unwrap();
    let words = "its child that it had started before is not recorded";
    ran.fails(1, &[words, &format!("-p {pid},")]);
}

#[test]
fn a_pipe_without_a_reader_is_waited_for_until_a_signal() {
    let Some((dir, program)) = place() else {
        return;
    };
    mkfifo(&dir.path().join("pipe.folded"), Mode::S_IRWXU).unwrap();
    let start = || {
        let mut command = backsight();
        command.current_dir(dir.path()).arg("record");
        command.args([
            "-F",
            "997",
            "-o",
            "pipe.folded",
            "--",
            &program,
            "spin",
            "100",
        ]);
        let errors = fs::File::create(dir.path().join("errors")).unwrap();
        command.stdout(Stdio::null()).stderr(errors);
        KillOnDrop(command.spawn().unwrap())
    };
    let errors = || fs::read_to_string(dir.path().join("errors")).unwrap();
    for has_reader in [false, true] {
        let mut recorder = start();
        wait_until("message", || {
            errors().contains("waiting for somebody to read")
        });
        if has_reader {
            let read = fs::read_to_string(dir.path().join("pipe.folded")).unwrap();
            assert!(read.contains(";main;"), "{read}");
            assert!(recorder.0.wait().unwrap().success(), "{}", errors());
            continue;
        }
        let pid = Pid::from_raw(recorder.pid().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        wait_until("end", || recorder.0.try_wait().unwrap().is_some());
        assert!(errors().contains("nobody reads this pipe"), "{}", errors());
    }
}

/// The command goes on, and so does the recording.
#[test]
fn intervals_that_cannot_be_written_are_counted() {
    let Some((dir, program)) = place() else {
        return;
    };
    let script = format!("rm -r many; {program} spin 700; touch ended");
    let args = [
        "-F", "997", "--every", "200ms", "-o", "many", "--", "/bin/sh",
    ];
    let ran = record(&dir, &[&args[..], &["-c", &script]].concat());
    let words = ["not written", "samples are lost", " samples, 0 lost"];
    ran.fails(1, &words);
    assert!(dir.path().join("ended").exists(), "{ran:?}");
    let lost = ran.stderr.split(" samples are lost").next().unwrap();
    let lost: u64 = lost.rsplit(' ').next().unwrap().parse().unwrap();
    let all = ran.stderr.split(" samples, 0 lost").next().unwrap();
    let all: u64 = all.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lost > 0 && lost <= all, "{ran:?}");
}

#[test]
fn a_program_that_cannot_be_started_is_told_apart() {
    let Some((dir, _)) = place() else { return };
    fs::write(dir.path().join("plain"), "int main;").unwrap();
    let text = dir.path().join("text");
    fs::write(&text, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
    testkit::copy(text, dir.path().join("script")).unwrap();
    for (program, code, words) in [
        ("./plain", 126, "it is not executable"),
        (".", 126, "it is a directory"),
        ("./script", 127, "the interpreter that it names"),
        ("./none", 127, "command not found"),
    ] {
        let ran = record(&dir, &["-o", "a.folded", "--", program]);
        ran.fails(code, &[program, words]);
    }
}
