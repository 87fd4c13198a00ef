//! Runs the command, and processes for it to inspect.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod recorded_place;
pub(crate) mod stripped_program;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::child::KillOnDrop;
use testkit::kernel::{Ioctl, ioctl};

/// The exit code and the output of the command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Returns stdout of a command that succeeded without messages.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, &*self.stderr), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// Checks that it failed with this code, and that stderr contains all of these.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

pub(crate) fn backsight() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backsight"));
    command.stdin(Stdio::null());
    command
}

/// Runs the command with these arguments.
pub(crate) fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    backsight().args(args).output().expect("it runs").into()
}

/// Runs the command with this standard input.
pub(crate) fn run_with<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Ran {
    let mut command = backsight();
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // It may exit before it has read everything.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it ends").into()
    })
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Parses NDJSON.
pub(crate) fn json(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).expect("a line of JSON");
    text.lines().map(line).collect()
}

/// Returns the lines of this type.
pub(crate) fn of_type(lines: &[Value], wanted: &str) -> Vec<Value> {
    let is_wanted = |line: &&Value| line["type"] == wanted;
    lines.iter().filter(is_wanted).cloned().collect()
}

/// Returns the backends that work here: not the ioctl on an older kernel.
pub(crate) fn backends() -> Vec<&'static str> {
    match ioctl() {
        Ioctl::Answers => vec!["auto", "ioctl", "text"],
        Ioctl::Refused(_) => vec!["auto", "text"],
    }
}

/// Starts `sleep`, and waits until it sleeps.
pub(crate) fn sleeping() -> KillOnDrop {
    let child = Command::new("sleep").arg("1000").spawn().expect("sleep");
    let child = KillOnDrop(child);
    let state = format!("/proc/{}/syscall", child.0.id());
    let comm = format!("/proc/{}/comm", child.0.id());
    let give_up = Instant::now() + Duration::from_secs(10);
    // It must have executed sleep, and be in a system call with a duration, rather than in one
    // of its start.
    loop {
        let name = fs::read_to_string(&comm).unwrap_or_default();
        let state = fs::read_to_string(&state).unwrap_or_default();
        let call = state.split(' ').next().unwrap_or_default();
        let sleeps = ["230", "35", "115", "101"].contains(&call);
        if name.trim() == "sleep" && sleeps {
            return child;
        }
        assert!(Instant::now() < give_up, "sleep does not sleep: {state}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the program counter of the sleeping process.
pub(crate) fn program_counter(pid: u32) -> u64 {
    let state = fs::read_to_string(format!("/proc/{pid}/syscall")).expect("our child");
    let last = state.split_whitespace().last().expect("fields");
    u64::from_str_radix(last.trim_start_matches("0x"), 16).expect("a program counter")
}

/// Returns the start of an executable VMA with this name.
pub(crate) fn code_of(pid: u32, name: &str) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("our child");
    let line = maps
        .lines()
        .find(|line| line.contains("r-xp") && line.contains(name));
    let start = line.and_then(|line| line.split('-').next());
    u64::from_str_radix(start.expect("such a VMA"), 16).expect("an address")
}

/// Returns a copy of the command that every user can execute.
pub(crate) fn public_copy() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("backsight");
    testkit::copy(env!("CARGO_BIN_EXE_backsight"), &path).expect("ours");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    (dir, path)
}

/// Runs binutils' objcopy, which is installed with any compiler.
pub(crate) fn objcopy(args: &[&str]) {
    let done = Command::new("objcopy")
        .args(args)
        .output()
        .expect("objcopy");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
