//! What the rows of the benchmark share: the program to measure, and how long.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a row is measured with.
pub(super) struct Bench {
    pub(super) program: String,
    /// How long a row takes, in seconds.
    pub(super) seconds: u64,
    pub(super) dir: TempDir,
    /// The commands of a row so far.
    pub(super) commands: std::sync::Mutex<Vec<String>>,
}

impl Bench {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Notes a command, and returns it. Its output is dropped.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        self.note(&words.join(" "));
        let (program, args) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).args(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    pub(super) fn note(&self, text: &str) {
        let text = text.replace(&self.program, "backsight");
        self.commands.lock().expect("no panic").push(text);
    }

    /// `backsight record`.
    pub(super) fn record(&self, args: &[&str]) -> Command {
        self.command(&[&[&*self.program, "record"], args].concat())
    }

    /// `perf record` of the whole machine, by the timer that `backsight record` uses where there
    /// is no counter.
    pub(super) fn perf(&self, args: &[&str]) -> Command {
        let seconds = self.seconds.to_string();
        let words = [
            &["perf", "record", "-e", "cpu-clock", "-a"],
            args,
            &["--", "sleep", &seconds],
        ];
        self.command(&words.concat())
    }
}

/// Runs a command, and returns what it printed.
pub(super) fn printed(command: &mut Command) -> Result<String, String> {
    let done = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    let done = done.map_err(|why| format!("{command:?}: {why}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!(
            "{command:?}: {}: {}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim()
        )),
    }
}

pub(super) fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}
