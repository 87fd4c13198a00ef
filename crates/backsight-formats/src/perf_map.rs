//! The names that a just-in-time compiler writes for `perf`: `/tmp/perf-PID.map`.
//!
//! ```text
//!   3ef414c0 398 RegExp:[{(]
//!   7f0e5d0d7268 b py::<module>:<frozen site>
//! ```
//!
//! A line has where code begins, its size, both hexadecimal, and a name up to the line's
//! end. Code comes and goes while the file only grows: where entries overlap, the last one
//! counts. Nothing in it says when code was there.
//!
//! Source: `tools/perf/Documentation/jit-interface.txt`.

mod counted;
mod line;
mod newest_ranges;
mod written;

use std::io::{self, BufRead};

use backsight_types::AbsAddr;

use crate::lines::{BoundedLine, LineReader};
use counted::CountingReader;
use newest_ranges::NewestRanges;

pub use line::PerfMapEntry;
pub use written::{JitName, pid_in_name};

/// What a map may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes that are read.
    pub bytes: u64,
    /// Bytes of a line; longer ones are skipped.
    pub line: u64,
    /// Entries that are kept.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            line: 16 << 10,
            entries: 1 << 21,
        }
    }
}

/// The names of the code of one process.
#[derive(Debug, Default)]
pub struct PerfMap {
    names: Vec<u8>,
    entries: Vec<StoredEntry>,
    newest: NewestRanges,
    malformed: u64,
    bytes: u64,
    is_cut: bool,
}

#[derive(Clone, Copy, Debug)]
struct StoredEntry {
    start: u64,
    end: u64,
    /// In `names`.
    name: (u32, u32),
}

/// What the last line of an input is that has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLine {
    /// A line: nobody writes any more.
    Whole,
    /// Perhaps half a line: it is left for the next time.
    Unfinished,
}

impl PerfMap {
    /// Reads what an input has, behind what was read before. Lines that are no entries are
    /// counted.
    ///
    /// Returns the bytes of whole lines: where to go on when the input has grown.
    ///
    /// # Errors
    /// Those of the input. What was read until then stays.
    pub fn read(
        &mut self,
        input: impl BufRead,
        tail: LastLine,
        limits: &Limits,
    ) -> io::Result<u64> {
        let most = limits.bytes.saturating_sub(self.bytes);
        let mut lines = LineReader::new(CountingReader::new(input.take(most)), limits.line);
        let before = self.entries.len();
        let mut taken = 0_u64;
        let done = loop {
            if taken >= most || self.entries.len() >= limits.entries {
                // Whether more would come is not asked: that the limit is reached is enough.
                self.is_cut = true;
                break Ok(());
            }
            let line = match lines.next() {
                Ok(Some((_, line))) => line,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let (added, is_too_long) = match line {
                BoundedLine::Whole(line) => (line::parse(line).map(|code| self.add(&code)), false),
                BoundedLine::TooLong => (None, true),
            };
            let last = taken;
            taken = lines.get_ref().read();
            let is_unfinished = lines.get_ref().is_in_line() && !is_too_long;
            if is_unfinished && tail == LastLine::Unfinished {
                if added == Some(true) {
                    self.entries.pop();
                }
                taken = last;
                break Ok(());
            }
            if added != Some(true) {
                self.malformed = self.malformed.saturating_add(1);
            }
        };
        self.bytes = self.bytes.saturating_add(taken);
        if self.entries.len() != before {
            self.newest =
                NewestRanges::new(self.entries.iter().map(|entry| (entry.start, entry.end)));
        }
        done.map(|()| taken)
    }

    /// Returns whether there was room.
    fn add(&mut self, code: &PerfMapEntry<'_>) -> bool {
        let end = code.start.0.checked_add(code.size);
        let at = u32::try_from(self.names.len()).ok();
        let len = u32::try_from(code.name.len()).ok();
        let (Some(end), Some(name)) = (end, at.zip(len)) else {
            return false;
        };
        self.names.extend_from_slice(code.name);
        self.entries.push(StoredEntry {
            start: code.start.0,
            end,
            name,
        });
        true
    }

    /// Returns the code that covers an address: of several, the one that was written last.
    #[must_use]
    pub fn at(&self, addr: AbsAddr) -> Option<PerfMapEntry<'_>> {
        let entry = self.entries.get(self.newest.at(addr.0)?)?;
        let (at, len) = entry.name;
        let at = usize::try_from(at).ok()?;
        let len = usize::try_from(len).ok()?;
        Some(PerfMapEntry {
            start: AbsAddr(entry.start),
            size: entry.end.saturating_sub(entry.start),
            name: self.names.get(at..)?.get(..len)?,
        })
    }

    /// Returns how many entries were read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many lines are no entries.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Whether a limit ended the reading.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}
