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
fn waiting_functions_are_those_of_the_program() {
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
    // A format that has one value gets a file for each: running, and not running.
    let (runs, waits) = (
        dir.path().join("a.folded"),
        dir.path().join("a.off-cpu.folded"),
    );
    let [runs, waits] = [runs, waits].map(|path| fs::read_to_string(path).unwrap());
    let sum = |text: &str, function: &str| {
        let stacks = text.lines().filter(|line| line.contains(function));
        let values = stacks.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        values.sum::<u64>()
    };
    // Going to sleep takes a moment, too.
    let (spun, slept) = (sum(&runs, ";spin;"), sum(&runs, "clock_nanosleep"));
    assert!(spun > slept, "{runs}");
    assert!(sum(&waits, "clock_nanosleep") > 5 * 50_000_000, "{waits}");
    assert_eq!(sum(&waits, ";work;hot "), 0, "{waits}");
    for name in ["written: a.folded", "written: a.off-cpu.folded"] {
        assert!(ran.stderr.contains(name), "{name}: {ran:?}");
    }
    assert!(!ran.stderr.contains("left out"), "{ran:?}");
}

/// A cgroup that goes away.
struct Cgroup(std::path::PathBuf);

impl Cgroup {
    /// A new one of version 2; says why there is none.
    fn new(name: &str) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let place = fields.next()?;
            (fields.next() == Some("cgroup2")).then(|| place.to_owned())
        });
        let name = format!("backsight-{name}-{}", std::process::id());
        let path = std::path::PathBuf::from(mount.ok_or("no cgroup2")?).join(name);
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What was in it may take a moment to end.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn of_a_cgroup_its_processes_are_recorded_and_no_others() {
    let cgroup = match Cgroup::new("record") {
        Ok(cgroup) => cgroup,
        Err(reason) => return skip(&reason),
    };
    let busy = match busy(true) {
        Ok(busy) => busy,
        Err(reason) => return skip(&reason),
    };
    let start = |name: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        testkit::copy(&busy, &path).unwrap();
        let mut command = Command::new(&path);
        let command = command.args(["spin", "60000"]).stdout(Stdio::null());
        (KillOnDrop(command.spawn().unwrap()), dir)
    };
    let (inside, _kept) = start("inside");
    let (_outside, _kept_too) = start("outside");
    cgroup.put("cgroup.procs", &inside.pid().to_string());
    let dir = tempfile::tempdir().unwrap();
    let mut command = backsight();
    command.current_dir(dir.path()).args(["record", "--cgroup"]);
    command
        .arg(&cgroup.0)
        .args(["-F", "997", "-d", "700ms", "-q", "-o", "a.folded"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let stacks = fs::read_to_string(dir.path().join("a.folded")).unwrap();
    assert!(
        stacks.contains("inside;_start;") || stacks.contains(";main;spin;work;hot "),
        "{stacks}"
    );
    let others: Vec<&str> = stacks
        .lines()
        .filter(|line| !line.starts_with("inside;"))
        .collect();
    assert!(others.is_empty(), "{others:?}");

    cgroup.put("cgroup.freeze", "1");
    let frozen = || fs::read_to_string(cgroup.0.join("cgroup.events")).unwrap();
    while !frozen().contains("frozen 1") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = inside.pid().to_string();
    let Some(ran) = record(&["-p", &pid, "-d", "100ms"]) else {
        return;
    };
    cgroup.put("cgroup.freeze", "0");
    ran.fails(
        1,
        &[
            "no samples",
            &format!("process {pid} is in a frozen cgroup"),
        ],
    );
}

#[test]
fn a_process_that_a_debugger_has_stopped_is_not_waited_for() {
    let traced = sleeping();
    let pid = Pid::from_raw(traced.pid().try_into().unwrap());
    if let Err(errno) = nix::sys::ptrace::attach(pid) {
        return skip(&format!("ptrace: {errno}"));
    }
    nix::sys::wait::waitpid(pid, None).unwrap();
    let number = traced.pid().to_string();
    let ran = record(&["-p", &number, "-d", "100ms"]);
    nix::sys::ptrace::detach(pid, None).unwrap();
    if let Some(ran) = ran {
        ran.fails(
            1,
            &[
                "no samples",
                &format!("process {number} is stopped by a tracer"),
            ],
        );
    }
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
    assert_eq!(
        ran.stderr.matches("--perf-basic-prof").count(),
        1,
        "{ran:?}"
    );
}
