//! Talks to a command line by line: it must answer before the next line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running command with a pipe in each direction.
#[derive(Debug)]
pub(crate) struct Dialogue {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Dialogue {
    pub(crate) fn with(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let asks = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            asks,
            answers,
        }
    }

    pub(crate) fn ask(&mut self, line: &str) {
        self.asks.write_all(line.as_bytes()).unwrap();
    }

    /// Waits for a line; blocks forever if the answer is not flushed.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }

    /// Closes the input, and checks that the command succeeds.
    pub(crate) fn end(mut self) {
        drop(self.asks);
        assert!(self.process.wait().unwrap().success());
    }
}
