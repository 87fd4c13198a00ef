//! `/tmp/perf-PID.map`: the symbols that a just-in-time compiler writes for `perf`.
//!
//! ```text
//!   3ef414c0 398 RegExp:[{(]
//!   7f0e5d0d7268 b py::<module>:<frozen site>
//! ```
//!
//! Each line has the start address and size of a piece of code, both hexadecimal, and its name,
//! which extends to the end of the line. The file only grows while code is replaced: of overlapping
//! entries, the last one counts. The file does not say when code was at an address.
//!
//! Source: `tools/perf/Documentation/jit-interface.txt`.

mod counted;
mod line;
mod newest_ranges;
mod written;

use std::io::{self, BufRead};

use backsight_types::{AbsAddr, AbsRange};

use crate::lines::{BoundedLine, LineReader};
use counted::CountingReader;
use newest_ranges::NewestRanges;

pub use line::PerfMapEntry;
pub use written::{JitName, pid_in_name};

/// Limits on reading a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of bytes to read.
    pub bytes: u64,
    /// Maximum length of a line in bytes; longer lines are skipped.
    pub line: u64,
    /// Maximum number of entries.
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

/// The symbols of the code of one process.
#[derive(Debug, Default)]
pub struct PerfMap {
    names: Vec<u8>,
    entries: Vec<StoredEntry>,
    newest: NewestRanges,
    malformed: u64,
    bytes: u64,
    is_cut: bool,
    ends_in_line: bool,
}

#[derive(Clone, Copy, Debug)]
struct StoredEntry {
    start: u64,
    end: u64,
    /// Offset and length in `names`.
    name: (u32, u32),
}

/// How to treat a last line without a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLine {
    /// As a complete line: nothing more will be written.
    Whole,
    /// As possibly incomplete: the next call of [`PerfMap::read`] reads it again.
    Unfinished,
}

impl PerfMap {
    /// Reads entries from an input, in addition to those read before. Lines that are not entries
    /// are counted.
    ///
    /// Returns the number of bytes of complete lines: the offset to continue at when the file has
    /// grown.
    ///
    /// # Errors
    /// Those of the input. Entries that were read before the error are kept.
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
                // The limit is reached, even if nothing more would follow.
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
            self.ends_in_line = lines.get_ref().is_in_line();
            if self.ends_in_line && !is_too_long && tail == LastLine::Unfinished {
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

    /// Adds an entry, and returns whether there was room.
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

    /// Returns the entry that covers an address: of several, the last one in the file.
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

    /// Returns whether any entry has an address of this range.
    #[must_use]
    pub fn tells_of(&self, range: AbsRange) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.start < range.end.0 && range.start.0 < entry.end)
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of bytes that it keeps in memory.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        let entries = self
            .entries
            .capacity()
            .saturating_mul(size_of::<StoredEntry>());
        entries
            .saturating_add(self.names.capacity())
            .saturating_add(self.newest.byte_count())
    }

    /// Returns the number of lines that are not entries.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Whether a limit ended the reading.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether the last line that was read has no line end: the file may have been cut, or is
    /// still being written. Its name may then be incomplete.
    #[must_use]
    pub fn ends_in_line(&self) -> bool {
        self.ends_in_line
    }
}
