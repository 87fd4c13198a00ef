//! Recordings made by `perf`, and what `perf script` says of them.
//!
//! Software clocks only: a virtual machine often has no hardware counters.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::tools::{compile, tool};

/// A recording, in a directory that goes away with it.
#[derive(Debug)]
pub struct Recording {
    dir: TempDir,
    /// The file.
    pub data: PathBuf,
}

/// The events that work on every machine.
pub const EVENTS: [&str; 3] = ["cpu-clock", "task-clock", "page-faults"];

/// Returns the program that recordings are made of. It takes `spin`, `forks` or
/// `threads`, and how many turns each makes.
///
/// # Panics
/// When the C compiler refuses it.
#[must_use]
pub fn program() -> Option<PathBuf> {
    tool("cc")?;
    let args = ["-fno-omit-frame-pointer", "-pthread", "-Wl,--build-id"];
    Some(compile("perf", include_str!("perf.c"), &args).expect("cc takes it"))
}

/// Records `command` with `perf record` and these arguments.
///
/// # Errors
/// Why it cannot be done here: there is no `perf`, or the kernel does not let us.
///
/// # Panics
/// When `perf` cannot be run.
pub fn record(args: &[&str], command: &[&str]) -> Result<Recording, String> {
    let perf = tool("perf").ok_or("there is no perf")?;
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("perf.data");
    let to_pipe = args.contains(&"-");
    let mut record = Command::new(perf);
    record.env("LC_ALL", "C").current_dir(dir.path());
    record.arg("record").args(args);
    if !to_pipe {
        record.arg("-o").arg(&data);
    }
    let made = record.arg("--").args(command).stdin(Stdio::null()).output();
    let made = made.expect("perf runs");
    if !made.status.success() {
        return Err(said(&made));
    }
    if to_pipe {
        std::fs::write(&data, &made.stdout).map_err(|error| error.to_string())?;
    }
    Ok(Recording { dir, data })
}

fn said(made: &Output) -> String {
    let text = String::from_utf8_lossy(&made.stderr);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    format!("perf: {}", last.unwrap_or("failed without a word"))
}

impl Recording {
    /// Returns the directory that the file is in, for others.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns what `perf script` prints with these arguments.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn script(&self, args: &[&str]) -> String {
        script(&self.data, args)
    }
}

/// Returns what `perf script` prints of a file with these arguments.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn script(data: &Path, args: &[&str]) -> String {
    let perf = tool("perf").expect("it recorded");
    let mut script = Command::new(perf);
    script.env("LC_ALL", "C").arg("script").arg("-i").arg(data);
    let done = script.args(args).stdin(Stdio::null()).output();
    let done = done.expect("perf runs");
    assert!(done.status.success(), "{}", said(&done));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
