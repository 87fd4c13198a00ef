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
    unreadable_names: u64,
    end: JitdumpEnd,
    is_big: bool,
    /// Bytes of the header and of whole records that were read.
    read: u64,
}

impl Jitdump {
    /// Reads a file from its start. Malformed records are counted.
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
            is_big,
            ..Self::default()
        };
        // Skip header fields of later versions.
        let more = u64::from(size.saturating_sub(HEADER));
        pass(&mut input, more)?;
        dump.read = u64::from(HEADER).saturating_add(more);
        dump.read_more(input, limits)?;
        Ok(dump)
    }

    /// Reads what was added to the file since: `input` begins at [`bytes_read`](Self::bytes_read).
    /// A record that was not whole then is read now. A [`Timeline`](super::Timeline) of this file
    /// can be advanced further; if earlier changes were added, it starts again by itself.
    ///
    /// # Errors
    /// Those of `input`. What was read before the error counts.
    pub fn read_more(&mut self, mut input: impl BufRead, limits: &Limits) -> io::Result<()> {
        let added = self.add_records(&mut input, limits);
        self.codes.sort_changes();
        self.lines.finish();
        self.end = added?;
        Ok(())
    }

    fn add_records(&mut self, input: &mut impl BufRead, limits: &Limits) -> io::Result<JitdumpEnd> {
        loop {
            let is_full =
                self.codes.steps.len() >= limits.codes || self.lines.len() >= limits.lines;
            if self.read >= limits.bytes || is_full {
                return Ok(JitdumpEnd::Limit);
            }
            match next(input, self.is_big, limits)? {
                (JitRecord::End(end), _) => return Ok(end),
                (part, size) => {
                    self.read = self.read.saturating_add(size);
                    self.take(part);
                }
            }
        }
    }

    /// Returns the size in bytes of the header and of the whole records that were read: where
    /// [`read_more`](Self::read_more) goes on.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read
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
            JitRecord::Lines { start, table } => {
                self.lines.add(start, table.rows);
                let names = table.unreadable_names;
                self.unreadable_names = self.unreadable_names.saturating_add(names);
                let is_malformed = !table.is_whole;
                self.malformed = self.malformed.saturating_add(u64::from(is_malformed));
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

    /// Returns the file and line of the byte at `offset` in a piece of code. The file is empty if
    /// the table has no readable name for it: it is then the one of the code's own name, if any.
    #[must_use]
    pub fn line(&self, number: u32, offset: u64) -> Option<(&[u8], u32)> {
        self.lines.at(self.codes.lines_of(number)?, offset)
    }

    /// Returns the number of malformed records.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Returns the number of rows in line tables whose name of a file cannot be read: see
    /// [`line`](Self::line).
    #[must_use]
    pub fn unreadable_file_names(&self) -> u64 {
        self.unreadable_names
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
