//! Function symbols of one table, searchable by address.
//!
//! Which symbol names an address follows from these rules alone, so that the
//! same file gives the same name every time:
//!
//! 1. A symbol covers `st_value` up to `st_value + st_size`. One of size zero
//!    covers up to the next symbol or the end of its section, but only where no
//!    sized symbol does: hand-written labels stand inside sized functions.
//! 2. Of nested symbols the innermost counts: the one that starts last, then the
//!    one that ends first.
//! 3. Of aliases, global and weak go before local, functions (`STT_FUNC`,
//!    `STT_GNU_IFUNC`) before untyped, then fewer leading underscores, then global
//!    before weak, then the shorter name, then the alphabet: `malloc`, not
//!    `__libc_malloc`, and `kill`, though it is weak, not `__kill`.
//!
//! Objects, sections, files, thread-local, absolute and undefined symbols name no code,
//! nor do marks such as mapping symbols: [`symbol_table`](super::symbol_table). No symbol
//! reaches beyond the section that it lies in.

use std::cmp::Reverse;

use object::elf;

use super::ElfFile;
use super::plt::may_be_stub;
use super::symbol_table::{SymbolKind, TableKind, for_each};
use crate::cover::{Cover, Item};
use crate::tally::bytes_of;

/// One function symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol<'d> {
    /// Its place among the symbols of its table.
    pub(crate) at: usize,
    /// The virtual offset of its first byte.
    pub(crate) start: u64,
    /// In bytes; 0 when the table does not say.
    pub(crate) size: u64,
    /// The raw name.
    pub(crate) name: &'d [u8],
}

/// The function symbols of one table.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    entries: Vec<Entry>,
    cover: Cover,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    size: u64,
    /// The end of the code it lies in.
    limit: u64,
    /// In the file's text: where the name starts, and its length.
    name: (usize, usize),
    binding: u8,
    untyped: bool,
}

impl Symbols {
    /// Reads this table. One that is missing or malformed has no symbols. Names longer
    /// than `name_bytes` are dropped.
    ///
    /// With `only`, what is kept suffices for this address, and for none other: a
    /// pass over the table, and little to sort.
    pub(crate) fn read(
        file: &ElfFile,
        table: TableKind,
        name_bytes: usize,
        only: Option<u64>,
    ) -> Self {
        let mut entries = read_entries(file, table, name_bytes, only);
        entries.sort_by_cached_key(|entry| preference(entry, file));
        // The preferred alias is the first of each (start, size); a sized symbol
        // takes the place of an unsized one at the same address.
        entries.dedup_by_key(|entry| (entry.start, entry.size));
        let cover = cover_of(&entries);
        Self { entries, cover }
    }

    /// Returns the bytes that its tables take.
    pub(crate) fn bytes(&self) -> usize {
        bytes_of(&self.entries).saturating_add(self.cover.bytes())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the symbol that covers `addr`; `file` is the one it was read of.
    pub(crate) fn find<'d>(&self, addr: u64, file: &'d ElfFile) -> Option<Symbol<'d>> {
        let at = usize::try_from(*self.cover.find(addr).first()?).ok()?;
        self.at(at, file)
    }

    /// Returns the symbol of this place; `file` is the one it was read of.
    pub(crate) fn at<'d>(&self, at: usize, file: &'d ElfFile) -> Option<Symbol<'d>> {
        let entry = self.entries.get(at)?;
        Some(Symbol {
            at,
            start: entry.start,
            size: entry.size,
            name: file.text(entry.name),
        })
    }

    /// Returns what is covered, in ascending order: begin, end, and the place of
    /// the symbol that counts there.
    pub(crate) fn covered(&self) -> impl Iterator<Item = (u64, u64, usize)> {
        let spans = self.cover.covered();
        spans.filter_map(|(begin, end, value)| Some((begin, end, usize::try_from(value).ok()?)))
    }
}

type Preference<'d> = (u64, Reverse<u64>, (bool, bool, usize, u8, usize), &'d [u8]);

fn preference<'d>(entry: &Entry, file: &'d ElfFile) -> Preference<'d> {
    let name = file.text(entry.name);
    // A leading dot is the code of a descriptor on PowerPC.
    let internal = |byte: &&u8| matches!(byte, b'_' | b'.');
    let underscores = name.iter().take_while(internal).count();
    (
        entry.start,
        Reverse(entry.size),
        (
            entry.binding == LOCAL,
            entry.untyped,
            underscores,
            entry.binding,
            name.len(),
        ),
        name,
    )
}

/// The entries are sorted by start.
fn cover_of(entries: &[Entry]) -> Cover {
    let mut next_start = u64::MAX;
    let mut items = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate().rev() {
        let after = entries.get(at.saturating_add(1));
        if let Some(after) = after.filter(|after| after.start > entry.start) {
            next_start = after.start;
        }
        let sized = entry.size > 0;
        let end = if sized {
            // A symbol at the top of the address space must not wrap around.
            entry.start.saturating_add(entry.size)
        } else {
            next_start
        };
        if let Ok(value) = u32::try_from(at) {
            items.push(Item {
                begin: entry.start,
                end: end.min(entry.limit),
                rank: u32::from(!sized),
                value,
            });
        }
    }
    Cover::new(items, 1)
}

fn read_entries(
    file: &ElfFile,
    table: TableKind,
    name_bytes: usize,
    only: Option<u64>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut near = Near {
        addr: only,
        start: 0,
    };
    if table == TableKind::Stubs && only.is_some_and(|addr| !may_be_stub(file, addr)) {
        return entries;
    }
    for_each(file, table, |symbol| {
        let code = matches!(symbol.kind, SymbolKind::Function | SymbolKind::Untyped);
        let Some(limit) = symbol.limit.filter(|_| code) else {
            return;
        };
        if !near.wants(symbol.start, symbol.size) {
            return;
        }
        let Some(name) = symbol.name(name_bytes) else {
            return;
        };
        near.met(symbol.start);
        entries.push(Entry {
            start: symbol.start,
            size: symbol.size,
            limit,
            name,
            binding: binding_rank(symbol.binding),
            untyped: symbol.kind == SymbolKind::Untyped,
        });
    });
    entries.retain(|entry| near.wants(entry.start, entry.size));
    entries
}

/// Which symbols matter to an address: those that cover it, and of the unsized the
/// last before it, as these reach up to the next.
struct Near {
    /// Without one, all matter.
    addr: Option<u64>,
    /// The last start before it so far.
    start: u64,
}

impl Near {
    fn wants(&self, start: u64, size: u64) -> bool {
        self.addr.is_none_or(|addr| {
            let covers = addr < start.saturating_add(size);
            start <= addr && (covers || start >= self.start)
        })
    }

    fn met(&mut self, start: u64) {
        self.start = self.start.max(start);
    }
}

/// The rank of what only its own file sees.
const LOCAL: u8 = 2;

fn binding_rank(binding: elf::SymbolBind) -> u8 {
    match binding {
        elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => 0,
        elf::STB_WEAK => 1,
        _ => LOCAL,
    }
}
