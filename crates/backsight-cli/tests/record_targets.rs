//! `record`: targets that are gone, cannot run, or wait.

mod common;

use std::fs;
use std::process::{Command, Stdio};

use common::{Ran, backsight};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;

/// Records into a new directory. `None` where nothing can be sampled.
fn record(args: &[&str]) -> Option<Ran> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = backsight();
    let command = command.current_dir(dir.path()).arg("record").args(args);
    let ran = Ran::from(command.args(["-o", "a.pb.gz"]).output().unwrap());
    let cannot = ["permission denied to sample", "no perf events"];
    if cannot.iter().any(|why| ran.stderr.contains(why)) {
        skip(&ran.stderr);
        return None;
    }
    Some(ran)
}

fn sleeping() -> KillOnDrop {
    KillOnDrop(Command::new("sleep").arg("60").spawn().unwrap())
}

#[test]
fn of_several_processes_those_that_are_there_are_recorded() {
    let busy = match busy(true) {
        Ok(busy) => busy,
        Err(reason) => return skip(&reason),
    };
    let mut command = Command::new(busy);
    let command = command.args(["spin", "60000"]).stdout(Stdio::null());
    let process = KillOnDrop(command.spawn().unwrap());
    let live = process.pid();
    for both in [format!("{live},2147483646"), format!("2147483646,{live}")] {
        let args = ["-p", &both, "-F", "997", "-d", "300ms", "-q"];
        let Some(ran) = record(&args) else { return };
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("no process 2147483646"), "{ran:?}");
    }
    let Some(ran) = record(&["-p", "2147483646,2147483645"]) else {
        return;
    };
    ran.fails(1, &["no process 214748364"]);
}

#[test]
fn why_a_process_does_not_run_is_said() {
    let stopped = sleeping();
    let pid = Pid::from_raw(stopped.pid().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let zombie = sleeping();
    kill(
        Pid::from_raw(zombie.pid().try_into().unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    for (process, state, words) in [(&stopped, 'T', "is stopped"), (&zombie, 'Z', "a zombie")] {
        let stat = format!("/proc/{}/stat", process.pid());
        // The kernel needs a moment.
        while !fs::read_to_string(&stat)
            .unwrap()
            .contains(&format!(") {state} "))
        {
            std::thread::yield_now();
        }
        let pid = process.pid().to_string();
        let Some(ran) = record(&["-p", &pid, "-d", "100ms"]) else {
            return;
        };
        ran.fails(1, &["no samples", &format!("process {pid}"), words]);
    }
}

#[test]
fn what_waits_is_the_function_of_the_program() {
    let busy = match busy(true) {
        Ok(busy) => busy,
        Err(reason) => return skip(&reason),
    };
    let busy = busy.to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut command = backsight();
    command
        .current_dir(dir.path())
        .args(["record", "--off-cpu", "-F", "997"]);
    let script = format!("{busy} spin 100; {busy} nap 5 50");
    let args = ["-o", "a.folded", "--", "/bin/sh", "-c", &script];
    let ran = Ran::from(command.args(args).output().unwrap());
    if ran.code == Some(1) || ran.stderr.contains("do not run is left out") {
        return skip(&ran.stderr);
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.stderr.lines();
    let mut listed = lines.skip_while(|line| !line.contains("waited longest"));
    assert!(listed.next().is_some(), "{ran:?}");
    let first = listed.next().unwrap();
    assert!(
        !first.contains("schedule") && !first.contains("[kernel"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains(" hot  ("), "{ran:?}");
    // A format that has one value says what it leaves out.
    assert!(ran.stderr.contains("left out"), "{ran:?}");
}

/// A loop in memory that no file is mapped to: `dec rdi; jnz`, so many times.
#[cfg(target_arch = "x86_64")]
const MADE_LOOP: &str = "
import ctypes, mmap
memory = mmap.mmap(-1, 4096, prot=7)
memory.write(bytes.fromhex('48ffcf75fbc3'))
code = ctypes.addressof(ctypes.c_char.from_buffer(memory))
ctypes.CFUNCTYPE(None, ctypes.c_uint64)(code)(500_000_000)
";

#[cfg(target_arch = "x86_64")]
#[test]
fn samples_that_end_in_made_code_without_names_are_counted() {
    let tried = Command::new("python3")
        .args(["-c", "import ctypes"])
        .output();
    if !tried.is_ok_and(|ran| ran.status.success()) {
        return skip("no python3 with ctypes");
    }
    let args = [
        "-F", "997", "-o", "a.folded", "--", "python3", "-c", MADE_LOOP,
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut command = backsight();
    let command = command.current_dir(dir.path()).arg("record").args(args);
    let ran = Ran::from(command.output().unwrap());
    if ran.code == Some(1) {
        return skip(&ran.stderr);
    }
    let words = "% end in code that was made at run time and has no name";
    let line = ran.stderr.lines().find(|line| line.contains(words));
    let share = line.expect(&ran.stderr).split(' ').nth(1).unwrap();
    assert!(share.parse::<f64>().unwrap() > 50.0, "{ran:?}");
}
