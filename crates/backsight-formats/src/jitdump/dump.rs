//! Reads a whole jitdump file.

use std::io::{self, BufRead};

use super::code::{Codes, JitCode, TimedChange};
use super::limits::{JitdumpEnd, Limits};
use super::lines::JitLines;
use super::record::{JitRecord, next, pass};
use crate::bytes::Bytes;

const MAGIC: u32 = 0x4a69_5444;
/// The flag of a file whose times are of the processor's timestamp counter. Recordings use other
/// clocks.
const ARCH_TIMESTAMP: u64 = 1;
const HEADER: u32 = 40;

/// Why a file cannot be read. The error has no path: the reader gets an input and not a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not start with the magic number of jitdump.
    #[error("not a jitdump file")]
    NotJitdump,
    /// Its version is not supported.
    #[error("jitdump version {0}, which is not supported")]
    Version(u32),
    /// Reading the input failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The code of one process, as a jitdump file describes it.
#[derive(Debug, Default)]
pub struct Jitdump {
    pid: u32,
    has_own_clock: bool,
    pub(super) codes: Codes,
    lines: JitLines,
    malformed: u64,
    end: JitdumpEnd,
}

impl Jitdump {
    /// Reads a file. Malformed records are counted.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn read(mut input: impl BufRead, limits: &Limits) -> Result<Self, Error> {
        let mut header = [0; HEADER as usize];
        if let Err(error) = input.read_exact(&mut header) {
            return Err(match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::NotJitdump,
                _ => Error::Io(error),
            });
        }
        let mut orders = [false, true].into_iter();
        let is_big = orders.find(|big| Bytes::new(&header, *big).u32() == Some(MAGIC));
        let is_big = is_big.ok_or(Error::NotJitdump)?;
        let mut at = Bytes::new(&header, is_big);
        let [_magic, version, size, _machine, _padding, pid] =
            std::array::from_fn(|_| at.u32().unwrap_or_default());
        let flags = at.u64().and_then(|_started| at.u64()).unwrap_or_default();
        if version == 0 || version > 2 {
            return Err(Error::Version(version));
        }
        let mut dump = Self {
            pid,
            has_own_clock: flags & ARCH_TIMESTAMP != 0,
            ..Self::default()
        };
        // Skip header fields of later versions.
        let more = u64::from(size.saturating_sub(HEADER));
        pass(&mut input, more)?;
        let mut read = u64::from(HEADER).saturating_add(more);
        dump.end = loop {
            let is_full =
                dump.codes.steps.len() >= limits.codes || dump.lines.len() >= limits.lines;
            if read >= limits.bytes || is_full {
                break JitdumpEnd::Limit;
            }
            match next(&mut input, is_big, limits)? {
                (JitRecord::End(end), _) => break end,
                (part, size) => {
                    read = read.saturating_add(size);
                    dump.take(part);
                }
            }
        };
        dump.codes.sort_changes();
        dump.lines.finish();
        Ok(dump)
    }

    fn take(&mut self, part: JitRecord) {
        match part {
            JitRecord::Load {
                time,
                start,
                size,
                name,
            } => {
                let lines = self.lines.take_for(start);
                let is_taken = self.codes.load(time, start, size, &name, lines);
                self.malformed = self.malformed.saturating_add(u64::from(!is_taken));
            }
            JitRecord::Move {
                time,
                from,
                to,
                size,
            } => self
                .codes
                .steps
                .push(TimedChange::moved(time, from, to, size)),
            JitRecord::Lines {
                start,
                rows,
                is_whole,
            } => {
                self.lines.add(start, rows);
                self.malformed = self.malformed.saturating_add(u64::from(!is_whole));
            }
            JitRecord::Other | JitRecord::End(_) => {}
            JitRecord::Malformed => self.malformed = self.malformed.saturating_add(1),
        }
    }

    /// Returns the ID of the process in its own PID namespace.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its times are of the processor's timestamp counter, which recordings do not use.
    #[must_use]
    pub fn has_own_clock(&self) -> bool {
        self.has_own_clock
    }

    /// Returns the number of pieces of code.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a piece of code by its index.
    #[must_use]
    pub fn code(&self, number: u32) -> Option<JitCode<'_>> {
        self.codes.get(number)
    }

    /// Returns the file and line of the byte at `offset` in a piece of code.
    #[must_use]
    pub fn line(&self, number: u32, offset: u64) -> Option<(&[u8], u32)> {
        self.lines.at(self.codes.lines_of(number)?, offset)
    }

    /// Returns the number of malformed records.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Returns why the reading ended.
    #[must_use]
    pub fn end(&self) -> JitdumpEnd {
        self.end
    }

    /// Returns the number of changes up to and including this time.
    #[must_use]
    pub fn changes_until(&self, time_ns: u64) -> usize {
        let steps = &self.codes.steps;
        steps.partition_point(|step| step.time_ns <= time_ns)
    }
}
