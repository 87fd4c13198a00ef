//! What is asked: a process that waits, a recording, and the command for comparison.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use testkit::perf::Recording;

use super::common::{built, here};

/// The command, if it was built with the tests.
pub(crate) fn command() -> Option<PathBuf> {
    let path = built().parent()?.join("backsight");
    path.is_file().then_some(path)
}

/// A process that waits, and its stack.
pub(crate) struct Target {
    child: Child,
    pub(crate) stack: Vec<String>,
}

impl Target {
    pub(crate) fn start() -> Result<Self, String> {
        let source = here("tests/c/target.c");
        let program = testkit::tools::compile(
            "capi-target",
            &fs::read_to_string(source).unwrap(),
            &["-rdynamic"],
        )?;
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| why.to_string())?;
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let stack = line.split_whitespace().map(str::to_owned).collect();
        Ok(Self { child, stack })
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Records a program that is busy for a while.
pub(crate) fn recording() -> Result<Recording, String> {
    let program = testkit::busy::busy(true)?.display().to_string();
    testkit::perf::record(&["-g", "-e", "cpu-clock"], &[&program, "spin", "300"])
}
