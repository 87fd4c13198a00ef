//! Reads the lines of a profile, and keeps the current one.

use std::io::{self, BufRead};

use crate::lines::{BoundedLine, LineReader};

/// A line with a stack of 65,536 addresses is shorter.
const MAX_LINE: u64 = 2 << 20;

/// The lines that start the memory map.
const MAPS: [&str; 2] = ["--- Memory map: ---", "MAPPED_LIBRARIES:"];

/// A malformed line. It is skipped, and reading continues.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
#[non_exhaustive]
pub struct LineError {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: &'static str,
}

pub(super) struct TextLines<R, F> {
    lines: LineReader<R>,
    malformed: F,
    /// The current line, without blanks at its ends.
    pub(super) line: String,
    number: u64,
    at_end: bool,
}

/// Whether a line is blank or a comment.
pub(super) fn is_empty(line: &[u8]) -> bool {
    matches!(line.trim_ascii().first(), None | Some(b'#'))
}

/// Whether a line starts the memory map.
pub(super) fn begins_maps(line: &str) -> bool {
    MAPS.iter().any(|begin| line.contains(begin))
}

impl<R: BufRead, F: FnMut(&LineError)> TextLines<R, F> {
    pub(super) fn new(input: R, malformed: F) -> Self {
        Self {
            lines: LineReader::new(input, MAX_LINE),
            malformed,
            line: String::new(),
            number: 0,
            at_end: false,
        }
    }

    /// Advances to the next line that is not blank; `false` at the end.
    pub(super) fn next(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            let Some((number, line)) = self.lines.next()? else {
                self.at_end = true;
                return Ok(false);
            };
            self.number = number;
            match line {
                BoundedLine::Whole(bytes) if bytes.trim_ascii().is_empty() => {}
                BoundedLine::Whole(bytes) => {
                    let text = String::from_utf8_lossy(bytes);
                    self.line.push_str(text.trim_ascii());
                    return Ok(true);
                }
                BoundedLine::TooLong => self.wrong("longer than 2 MiB"),
            }
        }
    }

    /// Advances to the next line that is neither blank nor a comment.
    pub(super) fn next_but_comments(&mut self) -> io::Result<bool> {
        while self.next()? {
            if !self.line.starts_with('#') {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the last line read has a line end.
    pub(super) fn is_ended(&self) -> bool {
        self.lines.is_ended()
    }

    /// Reports the current line as malformed.
    pub(super) fn wrong(&mut self, cause: &'static str) {
        let line = self.number;
        (self.malformed)(&LineError { line, cause });
    }

    /// Skips unknown parts up to the memory map.
    pub(super) fn skip_to_maps(&mut self) -> io::Result<()> {
        while !self.at_end && !begins_maps(&self.line) {
            self.next()?;
        }
        Ok(())
    }
}
