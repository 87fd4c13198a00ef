//! A process that waits and has told its stack, for the bindings to other languages.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::perf::Recording;

/// A process that waits, and its stack.
#[derive(Debug)]
pub struct Target {
    child: Child,
    /// The addresses of its stack, innermost first, as it printed them.
    pub stack: Vec<String>,
}

impl Target {
    /// Compiles and starts it.
    ///
    /// # Errors
    /// Why there is none.
    ///
    /// # Panics
    /// If it prints nothing.
    pub fn start() -> Result<Self, String> {
        let source = include_str!("target.c");
        let program = crate::tools::compile("target", source, &["-rdynamic"])?;
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| why.to_string())?;
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        out.read_line(&mut line).map_err(|why| why.to_string())?;
        let stack: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        assert!(stack.len() >= 6, "{stack:?}");
        Ok(Self { child, stack })
    }

    /// Its process ID.
    #[must_use]
    pub fn pid(&self) -> String {
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
///
/// # Errors
/// Why there is no recording.
pub fn recording() -> Result<Recording, String> {
    let program = crate::busy::busy(true)?.display().to_string();
    crate::perf::record(&["-g", "-e", "cpu-clock"], &[&program, "spin", "300"])
}
