//! The line tables of code.
//!
//! The addresses of entries that V8 writes are 64 bytes too high. That is the size of the headers
//! of the ELF files that `perf inject` makes of the code. If no entry of a file lies in the first
//! 64 bytes of its code, 64 is subtracted from all.

use std::collections::HashMap;
use std::ops::Range;

/// The size of a 64-bit ELF header.
const ELF_HEADER: u64 = 0x40;

/// A `debug_entry` as read from the file.
#[derive(Debug)]
pub(super) struct DebugEntry {
    pub(super) addr: u64,
    pub(super) line: u32,
    /// `None` means the file of the previous entry.
    pub(super) file: Option<Vec<u8>>,
}

/// The line tables of all code.
#[derive(Debug, Default)]
pub(super) struct JitLines {
    entries: Vec<LineEntry>,
    files: Vec<Box<[u8]>>,
    by_name: HashMap<Box<[u8]>, u32>,
    /// The line table of the code that is loaded next: the start of the code, and the entries.
    waiting: Option<(u64, Range<u32>)>,
    /// The smallest offset of any entry from the start of its code.
    first: Option<u64>,
    shift: u64,
}

#[derive(Clone, Copy, Debug)]
struct LineEntry {
    offset: u64,
    line: u32,
    file: u32,
}

impl JitLines {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds the line table of the code that starts at `start`.
    pub(super) fn add(&mut self, start: u64, rows: Vec<DebugEntry>) {
        let from = self.entries.len();
        let mut file = None;
        for row in rows {
            if let Some(name) = row.file {
                file = self.file(name);
            }
            if let Some(file) = file {
                let (offset, line) = (row.addr, row.line);
                self.entries.push(LineEntry { offset, line, file });
            }
        }
        if let Some(new) = self.entries.get_mut(from..) {
            // The sort is stable: of several entries with the same address, the last one counts.
            new.sort_by_key(|entry| entry.offset);
            for entry in new.iter_mut() {
                // What began before the code counts from its first byte on.
                entry.offset = entry.offset.saturating_sub(start);
            }
            let first = new.first().map(|entry| entry.offset);
            self.first = first
                .map(|new| self.first.map_or(new, |old| old.min(new)))
                .or(self.first);
        }
        let range = u32::try_from(from)
            .ok()
            .zip(u32::try_from(self.entries.len()).ok());
        self.waiting = range.map(|(from, to)| (start, from..to));
    }

    fn file(&mut self, name: Vec<u8>) -> Option<u32> {
        let name: Box<[u8]> = name.into();
        if let Some(known) = self.by_name.get(&name) {
            return Some(*known);
        }
        let number = u32::try_from(self.files.len()).ok()?;
        self.files.push(name.clone());
        self.by_name.insert(name, number);
        Some(number)
    }

    /// Returns the entries of the code that is loaded at `start`.
    pub(super) fn take_for(&mut self, start: u64) -> Range<u32> {
        let waiting = self.waiting.take_if(|(of, _)| *of == start);
        waiting.map_or(0..0, |(_, range)| range)
    }

    /// Called when all line tables are added.
    pub(super) fn finish(&mut self) {
        self.by_name = HashMap::new();
        let is_shifted = self.first.is_some_and(|first| first >= ELF_HEADER);
        self.shift = if is_shifted { ELF_HEADER } else { 0 };
    }

    /// Returns the file and line at an offset in code that has these entries. An entry of line 0
    /// without a file ends what the one before it said.
    pub(super) fn at(&self, range: Range<u32>, offset: u64) -> Option<(&[u8], u32)> {
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        let entries = self.entries.get(range)?;
        let offset = offset.checked_add(self.shift)?;
        let behind = entries.partition_point(|entry| entry.offset <= offset);
        let entry = entries.get(behind.checked_sub(1)?)?;
        let file = self.files.get(usize::try_from(entry.file).ok()?)?;
        let is_end = entry.line == 0 && file.is_empty();
        (!is_end).then_some((&**file, entry.line))
    }
}
