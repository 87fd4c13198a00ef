//! The data that the linker writes for the runtime (`runtime.firstmoduledata`): the start
//! of the code, and the base of the offsets of inline trees.
//!
//! A stripped file has no symbol for it. It is found by its contents: it starts with the
//! address of the line table, followed by addresses that are also in the table's header.
//!
//! ```text
//!   0   the table
//!   1   names, … six slices of three words each
//!   22  text, end of text
//!       …
//!       rodata, go:func.*                    (from Go 1.26 on, then the end of the table)
//!       sections of code: a slice, whose first row is 0, a size, text
//! ```

use super::header::PclntabHeader;
use crate::memory::{MappedPart, Memory, Relocation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModuleData {
    pub(super) text: u64,
    /// The base of the offsets of inline trees.
    pub(super) trees: Option<u64>,
}

/// The maximum number of places with the table's address that are checked.
const MAX_CANDIDATES: usize = 64;

/// The number of its words that are read.
const WORDS: u64 = 64;

/// The word with the start of the code.
const TEXT: u64 = 22;

/// The words at which the list of code sections may start. Each release of Go has a few
/// more words before it.
const SECTIONS: std::ops::Range<u64> = 32..60;

pub(super) fn find(
    header: &PclntabHeader,
    table: u64,
    memory: &Memory<'_>,
    relocations: &[Relocation],
) -> Option<ModuleData> {
    let moved = relocations.iter().filter(|moved| moved.target == table);
    let moved = moved.map(|moved| moved.addr);
    let written = places(header, table, memory);
    let places = moved.chain(written).take(MAX_CANDIDATES);
    let mut places = places.map(|addr| Words::new(header, addr, memory, relocations));
    places.find_map(|words| words.read(table))
}

/// Returns the places that contain the address of the table.
fn places(header: &PclntabHeader, table: u64, memory: &Memory<'_>) -> Vec<u64> {
    let size = header.pointer;
    let bytes = match header.big_endian {
        true => table.to_be_bytes(),
        false => table.to_le_bytes(),
    };
    let wanted = match header.big_endian {
        true => bytes.get(8_usize.saturating_sub(size)..),
        false => bytes.get(..size),
    };
    let align = u64::try_from(size).unwrap_or(1);
    let mut found = Vec::new();
    // Writable parts first: the runtime writes to the data when the program starts.
    let mut parts: Vec<&MappedPart<'_>> = memory.parts.iter().collect();
    parts.sort_by_key(|part| !part.is_writable);
    for part in parts {
        let all = memchr::memmem::find_iter(part.bytes, wanted.unwrap_or_default());
        let all = all.filter_map(|at| part.addr.checked_add(u64::try_from(at).ok()?));
        let aligned = all.filter(|addr| addr.checked_rem(align) == Some(0));
        found.extend(aligned.take(MAX_CANDIDATES.saturating_sub(found.len())));
    }
    found
}

/// The words of a candidate.
struct Words<'m, 'd> {
    header: &'m PclntabHeader,
    addr: u64,
    memory: &'m Memory<'d>,
    /// The relocations within it.
    relocations: Vec<Relocation>,
}

impl<'m, 'd> Words<'m, 'd> {
    fn new(
        header: &'m PclntabHeader,
        addr: u64,
        memory: &'m Memory<'d>,
        relocations: &[Relocation],
    ) -> Self {
        let pointer = u64::try_from(header.pointer).unwrap_or(8);
        let end = addr.saturating_add(WORDS.saturating_mul(pointer));
        let within = relocations.iter().copied();
        let within = within.filter(|moved| (addr..end).contains(&moved.addr));
        Self {
            header,
            addr,
            memory,
            relocations: within.collect(),
        }
    }

    fn get(&self, number: u64) -> Option<u64> {
        let pointer = u64::try_from(self.header.pointer).ok()?;
        let addr = self.addr.checked_add(number.checked_mul(pointer)?)?;
        let moved = self.relocations.iter().find(|moved| moved.addr == addr);
        match moved {
            Some(moved) => Some(moved.target),
            None => self.written(addr),
        }
    }

    fn written(&self, addr: u64) -> Option<u64> {
        self.header.bytes(self.memory.from(addr)?).address(0)
    }

    fn read(&self, table: u64) -> Option<ModuleData> {
        let inside = |at: usize| table.checked_add(u64::try_from(at).ok()?);
        let header = self.header;
        // Names, files and functions: slices whose length and capacity are equal.
        for (word, at) in [
            (1_u64, header.names),
            (7, header.files),
            (13, header.records),
        ] {
            let (size, room) = (
                self.get(word.checked_add(1)?)?,
                self.get(word.checked_add(2)?)?,
            );
            if self.get(word)? != inside(at)? || size != room {
                return None;
            }
        }
        let text = self.get(TEXT)?;
        (self.get(TEXT.checked_add(1)?)? > text).then(|| ModuleData {
            text,
            trees: self.trees(text),
        })
    }

    fn trees(&self, text: u64) -> Option<u64> {
        let sections = SECTIONS
            .clone()
            .find(|word| self.is_sections(*word, text) == Some(true))?;
        let before = |words: u64| self.get(sections.checked_sub(words)?);
        let end = self.get(13)?.checked_add(self.get(14)?)?;
        // From Go 1.26 on, the end of the table is in between.
        let has_end = before(1)? >= end && before(1)?.checked_sub(end)? < 1 << 32;
        let base = if has_end && before(2)? > before(3)? {
            before(2)?
        } else {
            before(1)?
        };
        (base != 0).then_some(base)
    }

    /// Returns whether the list of code sections starts at this word.
    fn is_sections(&self, word: u64, text: u64) -> Option<bool> {
        let (addr, size) = (self.get(word)?, self.get(word.checked_add(1)?)?);
        let room = self.get(word.checked_add(2)?)?;
        if size != room || !(1..=4096).contains(&size) {
            return Some(false);
        }
        let pointer = u64::try_from(self.header.pointer).ok()?;
        let base = addr.checked_add(pointer.checked_mul(2)?)?;
        // In a position-independent file, the address is written by a relocation.
        let is_moved = self.written(base)? == 0;
        Some(self.written(addr)? == 0 && (is_moved || self.written(base)? == text))
    }
}
