//! `stack`: processes and threads that cannot be stopped are said with the way out, and none stays
//! stopped.

mod common;
mod stacks;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Ran, backsight, public_copy, run, sleeping, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stacks::{of_json, of_process, program, runs_freely, started};
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::tool;
use testkit::user::is_root;

#[test]
fn a_stopped_job_stays_stopped() {
    let child = sleeping();
    let pid = Pid::from_raw(child.pid().cast_signed());
    kill(pid, Signal::SIGSTOP).expect("our child");
    let status = format!("/proc/{pid}/status");
    let is_stopped = || fs::read_to_string(&status).unwrap().contains("State:\tT");
    wait_until("stop", is_stopped);
    for _ in 0..5 {
        let text = of_process(&child, &[]).ok();
        assert!(text.contains("nanosleep"), "{text}");
        wait_until("stop", is_stopped);
    }
    kill(pid, Signal::SIGCONT).expect("our child");
    wait_until("going on", || runs_freely(child.pid()));
}

/// Signals arrive all the time, also those without a name; none is lost, and none stops it.
#[test]
fn a_process_with_many_signals_gets_them_all() {
    let Some(python) = tool("python3") else {
        return skip("there is no python3");
    };
    let script = "
import os, signal, sys
count = 0
def took(number, frame):
    global count
    count += 1
signal.signal(signal.SIGRTMIN + 3, took)
print('ready', flush=True)
for n in range(20000):
    os.kill(os.getpid(), signal.SIGRTMIN + 3)
print('took', count, flush=True)
signal.pause()
";
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(python);
    command.args(["-c", script]).stdin(Stdio::null());
    command.stdout(out.reopen().unwrap());
    let child = KillOnDrop(command.spawn().expect("it runs"));
    let said = || fs::read_to_string(out.path()).unwrap();
    wait_until("start", || said().contains("ready"));
    let mut rounds = 0;
    wait_until("end", || {
        let ran = of_process(&child, &["--jit-maps", "none"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        rounds += 1;
        said().contains("took")
    });
    assert!(said().contains("took 20000"), "{} in {rounds}", said());
    assert!(runs_freely(child.pid()));
}

/// The kernel detaches the threads of a tracer that is killed.
#[test]
fn a_killed_command_leaves_no_thread_stopped() {
    let command = ["g++", "-O1", "-pthread", "threads.cc"];
    let program = match program(include_str!("stacks/threads.cc"), &command) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    let child = started(Command::new(&program.path).arg("500"));
    let pid = child.pid().to_string();
    let last = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let all: Vec<PathBuf> = last.map(|task| task.path().join("status")).collect();
    let mut in_the_middle = 0;
    for round in 0..12 {
        let mut command = backsight();
        command.args(["stack", "-p", &pid]).stdout(Stdio::null());
        let mut tracer = KillOnDrop(command.spawn().expect("it runs"));
        // When one of these threads is traced, it is in the middle.
        let seen = &all[(round * 37) % all.len()];
        while tracer.0.try_wait().expect("our child").is_none() {
            let status = fs::read_to_string(seen).unwrap();
            if !status.contains("TracerPid:\t0\n") {
                in_the_middle += 1;
                break;
            }
        }
        tracer.0.kill().expect("our child");
        tracer.0.wait().expect("our child");
        assert!(runs_freely(child.pid()), "after {round} rounds");
    }
    println!("killed in the middle: {in_the_middle} of 12");
    let whole = of_process(&child, &["--format", "json"]).ok();
    assert_eq!(of_json(&whole).len(), 500);
}

#[test]
fn who_cannot_be_stopped_is_said_with_the_way_out() {
    let own = std::process::id();
    // A zombie, until it is waited for.
    let mut ended = Command::new("true").spawn().unwrap();
    let status = format!("/proc/{}/status", ended.id());
    wait_until("zombie", || {
        fs::read_to_string(&status).unwrap().contains("State:\tZ")
    });
    run(["stack", &ended.id().to_string()]).fails(1, &["zombie", "waited"]);
    ended.wait().unwrap();
    let is_of_kernel = fs::read("/proc/2/cmdline").is_ok_and(|line| line.is_empty());
    let name = fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if is_root() && is_of_kernel && name.trim() == "kthreadd" {
        run(["stack", "2"]).fails(1, &["thread of the kernel", "/proc/2/stack"]);
    } else {
        skip("no thread of the kernel is to be seen");
    }
    assert!(runs_freely(own));
}

#[test]
fn a_process_of_another_user_is_refused_with_the_way_out() {
    if !is_root() || tool("setpriv").is_none() {
        return skip("not root, or there is no setpriv");
    }
    let child = sleeping();
    let (_dir, copy) = public_copy();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let ran = command.arg(copy).args(["stack", &child.pid().to_string()]);
    let ran = Ran::from(ran.stdin(Stdio::null()).output().unwrap());
    ran.fails(1, &["permission denied", "same user"]);
}

#[test]
fn a_process_under_a_debugger_is_refused_with_the_debugger() {
    if tool("gdb").is_none() {
        return skip("there is no gdb");
    }
    let child = sleeping();
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx", "-q", "-ex", "set debuginfod enabled off"]);
    gdb.args(["-ex", &format!("attach {}", child.pid())]);
    gdb.args(["-ex", "shell sleep 1000"]);
    gdb.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let gdb = KillOnDrop(gdb.spawn().expect("gdb"));
    let status = format!("/proc/{}/status", child.pid());
    let tracer = format!("TracerPid:\t{}\n", gdb.pid());
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !fs::read_to_string(&status).unwrap().contains(&tracer) {
        if std::time::Instant::now() > end {
            return skip("gdb may not attach here");
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let words = [&*format!("gdb ({})", gdb.pid()), "thread apply all bt"];
    of_process(&child, &[]).fails(1, &words);
}

/// It waits in the kernel until its child has called `execve` or ended, whatever signals come.
#[test]
fn a_thread_that_does_not_stop_is_said() {
    let source = "#include <unistd.h>\n#include <stdio.h>\nint main(void) { puts(\"ready\"); \
                  fflush(stdout); if (!vfork()) for (;;) pause(); }\n";
    let waiting = match program(source, &["cc", "-O1", "waiting.c"]) {
        Ok(program) => program,
        Err(why) => return skip(&why),
    };
    let child = started(&mut Command::new(&waiting.path));
    let status = format!("/proc/{}/status", child.pid());
    let children = format!("/proc/{0}/task/{0}/children", child.pid());
    wait_until("vfork", || {
        fs::read_to_string(&status).unwrap().contains("State:\tD")
    });
    let below = fs::read_to_string(children).unwrap_or_default();
    let ran = of_process(&child, &[]);
    ran.fails(1, &["do not stop", "vfork", "/stack"]);
    let status = fs::read_to_string(&status).unwrap();
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    // Its child has the same memory, and would go on.
    if let Ok(pid) = below.trim().parse() {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("its child");
    }
}
