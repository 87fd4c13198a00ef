//! The function symbols of a module, of all its tables together, searchable by address.
//!
//! Which symbol names an address follows from these rules alone, so that the
//! same file gives the same name every time, and a stripped one the name that its
//! debug file gives:
//!
//! 1. All tables are one: a debug file's `.symtab`, the module's own, the one of its
//!    MiniDebugInfo, and `.dynsym`. Which of them has a symbol matters only between
//!    equal aliases.
//! 2. A symbol covers `st_value` up to `st_value + st_size`. One of size zero
//!    covers up to the next symbol of any table, at most to the end of its section, and
//!    only if it begins where no sized symbol is: hand-written labels stand inside sized
//!    functions, and end with them.
//! 3. Of nested symbols the innermost counts: the one that starts last, then the
//!    one that ends first.
//! 4. Of aliases, functions and labels go before marks of sections (`__sched_text_start`), then
//!    global and weak before local, functions (`STT_FUNC`,
//!    `STT_GNU_IFUNC`) before untyped, then fewer leading underscores, then global
//!    before weak, then the shorter name, then the alphabet: `malloc`, not
//!    `__libc_malloc`, and `kill`, though it is weak, not `__kill`.
//!
//! A mark of an end (`_etext`) covers nothing, and ends what is before it.
//!
//! Sections, files, thread-local, absolute and undefined symbols name no code, nor do
//! marks such as mapping symbols: [`symbol_table`](super::symbol_table). No symbol reaches
//! beyond the section that it lies in.
//!
//! The stubs of procedure linkage tables come after the others: they name what no symbol
//! covers. Last come the objects that lie in code and have a size, since some are code:
//! the functions that node is built with, tables of jumps. They name what nothing else
//! does, and end a symbol without a size.
//!
//! Sized symbols are covered as `llvm-symbolizer`, `addr2line` and `perf` have it. These
//! let a symbol without a size reach further: `llvm-symbolizer` up to whatever is next,
//! out of its section and out of the function that it is a label in.

use std::cmp::Reverse;
use std::sync::Arc;

use backsight_index::engine::{Overlaps, RankedRange, bytes_of};
use backsight_sources::linker_marks::is_section_mark;
use object::elf;

use super::file::{ElfFile, for_each};
use super::plt::may_be_stub;
use super::symbol_table::{SymbolKind, TableKind};

/// One function symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ElfSymbol<'d> {
    /// Its place among the symbols.
    pub(crate) at: usize,
    /// The virtual offset of its first byte.
    pub(crate) start: u64,
    /// In bytes; 0 when the table does not say.
    pub(crate) size: u64,
    /// The raw name.
    pub(crate) name: &'d [u8],
}

/// A symbol table: the file it stands in, and which of its tables it is.
pub(crate) type SymbolTable = (Arc<ElfFile>, TableKind);

/// The function symbols of all tables.
#[derive(Debug, Default)]
pub(crate) struct SymbolSet {
    /// By start, the larger first, then the preferred; stubs behind all others.
    entries: Vec<SymbolEntry>,
    /// Its values are places in `entries`.
    overlaps: Overlaps,
    files: Vec<Arc<ElfFile>>,
}

#[derive(Clone, Copy, Debug)]
struct SymbolEntry {
    start: u64,
    size: u64,
    /// The end of the code it lies in.
    limit: u64,
    /// In its file's text: where the name starts, and its length.
    name: (usize, usize),
    /// Which of the files.
    file: u8,
    binding: u8,
    kind: SymbolKind,
    is_stub: bool,
}

impl SymbolSet {
    /// Reads these tables. One that is missing or malformed has no symbols. Names longer
    /// than `name_bytes` are dropped.
    ///
    /// With `only`, what is kept suffices for this address, and for none other: a
    /// pass over the tables, and little to sort.
    pub(crate) fn read(tables: &[SymbolTable], name_bytes: usize, only: Option<u64>) -> Self {
        let mut reading = SymbolReader {
            relevance: Relevance {
                addr: only,
                start: 0,
            },
            entries: Vec::new(),
            room: FIRST_PRUNE_AT,
        };
        let mut files = Vec::new();
        for ((file, table), at) in tables.iter().zip(0..=u8::MAX) {
            reading.add(file, at, *table, name_bytes);
            files.push(Arc::clone(file));
        }
        let entries = reading.finish();
        let mut symbols = Self {
            overlaps: Overlaps::default(),
            entries,
            files,
        };
        symbols.sort();
        symbols.overlaps = overlaps_of(&symbols.entries);
        symbols
    }

    fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        let extent = |entry: &SymbolEntry| (entry.is_stub, entry.start, Reverse(entry.size));
        // Few have aliases: names are only read of these.
        entries.sort_unstable_by_key(extent);
        for same in entries.chunk_by_mut(|a, b| extent(a) == extent(b)) {
            if same.len() > 1 {
                same.sort_unstable_by_key(|entry| self.preference(entry));
            }
        }
        entries.dedup_by(|a, b| {
            extent(a) == extent(b) && a.kind == b.kind && self.name_of(a) == self.name_of(b)
        });
        self.entries = entries;
    }

    /// Returns the bytes that its tables take.
    pub(crate) fn bytes(&self) -> usize {
        bytes_of(&self.entries).saturating_add(self.overlaps.bytes())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the symbol that covers `addr`.
    pub(crate) fn find(&self, addr: u64) -> Option<ElfSymbol<'_>> {
        self.at(usize::try_from(*self.overlaps.find(addr).first()?).ok()?)
    }

    /// Returns the symbols that begin at `addr`, the larger first, then the preferred.
    pub(crate) fn starting_at(&self, addr: u64) -> impl Iterator<Item = ElfSymbol<'_>> {
        let is_before = |entry: &SymbolEntry| !entry.is_stub && entry.start < addr;
        let first = self.entries.partition_point(is_before);
        let here = self.entries.get(first..).unwrap_or_default();
        let here = here.iter().zip(first..);
        let here = here.take_while(move |(entry, _)| !entry.is_stub && entry.start == addr);
        here.filter(|(entry, _)| entry.kind != SymbolKind::Object)
            .filter_map(|(_, at)| self.at(at))
    }

    /// Returns the symbol of this place.
    pub(crate) fn at(&self, at: usize) -> Option<ElfSymbol<'_>> {
        let entry = self.entries.get(at)?;
        Some(ElfSymbol {
            at,
            start: entry.start,
            size: entry.size,
            name: self.name_of(entry),
        })
    }

    /// Returns what is covered, in ascending order: begin, end, and the place of
    /// the symbol that counts there.
    pub(crate) fn covered(&self) -> impl Iterator<Item = (u64, u64, usize)> {
        let spans = self.overlaps.covered();
        spans.filter_map(|(begin, end, value)| Some((begin, end, usize::try_from(value).ok()?)))
    }

    fn name_of(&self, entry: &SymbolEntry) -> &[u8] {
        let file = self.files.get(usize::from(entry.file));
        file.map(|file| file.text(entry.name)).unwrap_or_default()
    }

    fn preference(&self, entry: &SymbolEntry) -> Preference<'_> {
        let name = self.name_of(entry);
        // A leading dot is the code of a descriptor on PowerPC.
        let internal = |byte: &&u8| matches!(byte, b'_' | b'.');
        let underscores = name.iter().take_while(internal).count();
        (
            entry.size == 0 && is_section_mark(name),
            entry.kind == SymbolKind::Object,
            entry.binding == LOCAL_RANK,
            entry.kind != SymbolKind::Function,
            (underscores, entry.binding, name.len()),
            name,
            entry.file,
        )
    }
}

type Preference<'d> = (bool, bool, bool, bool, (usize, u8, usize), &'d [u8], u8);

/// Expects the entries as they are kept.
fn overlaps_of(entries: &[SymbolEntry]) -> Overlaps {
    let mut items = Vec::with_capacity(entries.len());
    let stubs = entries.partition_point(|entry| !entry.is_stub);
    let (symbols, stubs) = entries.split_at_checked(stubs).unwrap_or((entries, &[]));
    add_symbols(symbols, &mut items);
    for (stub, place) in stubs.iter().zip(symbols.len()..) {
        items.extend(item(stub, place, u64::MAX, 2));
    }
    Overlaps::new(items, 1)
}

/// What an entry covers: without a size, up to where the next one starts.
fn item(entry: &SymbolEntry, place: usize, next_start: u64, rank: u32) -> Option<RankedRange> {
    let end = match entry.size {
        0 => next_start,
        // A symbol at the top of the address space must not wrap around.
        size => entry.start.saturating_add(size),
    };
    Some(RankedRange {
        begin: entry.start,
        end: end.min(entry.limit),
        rank,
        value: u32::try_from(place).ok()?,
    })
}

fn add_symbols(entries: &[SymbolEntry], items: &mut Vec<RankedRange>) {
    // Where the sized symbols end that began so far.
    let mut sized_end = 0;
    let mut rest = entries;
    let mut at: usize = 0;
    while let Some(first) = rest.first() {
        let count = rest.partition_point(|entry| entry.start == first.start);
        let (here, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        let next_start = behind.first().map_or(u64::MAX, |entry| entry.start);
        let mut last_size = None;
        for (entry, place) in here.iter().zip(at..) {
            // The preferred alias is the first of its extent.
            let is_alias = last_size == Some(entry.size);
            let is_object = entry.kind == SymbolKind::Object;
            if is_alias || (is_object && entry.size == 0) {
                continue;
            }
            last_size = Some(entry.size);
            if is_object {
                items.extend(item(entry, place, next_start, 3));
                continue;
            }
            if entry.size > 0 {
                sized_end = sized_end.max(entry.start.saturating_add(entry.size));
            } else if sized_end > entry.start {
                continue;
            }
            let rank = u32::from(entry.size == 0);
            items.extend(item(entry, place, next_start, rank));
        }
        at = at.saturating_add(count.max(1));
        rest = behind;
    }
}

/// Symbols that are collected before those that can no longer match are dropped.
const FIRST_PRUNE_AT: usize = 1024;

/// Tables being read.
struct SymbolReader {
    relevance: Relevance,
    entries: Vec<SymbolEntry>,
    /// How many there may be before some are dropped.
    room: usize,
}

impl SymbolReader {
    fn add(&mut self, file: &ElfFile, number: u8, table: TableKind, name_bytes: usize) {
        let is_stub = table == TableKind::Stubs;
        if is_stub && (self.relevance.addr).is_some_and(|addr| !may_be_stub(file, addr)) {
            return;
        }
        for_each(file, table, |row| {
            let Some(limit) = row.limit else {
                return;
            };
            if !self.relevance.wants(row.start, row.size) {
                return;
            }
            let Some(name) = row.name(name_bytes) else {
                return;
            };
            if !is_stub {
                self.relevance.note_start(row.start);
            }
            self.entries.push(SymbolEntry {
                start: row.start,
                size: row.size,
                limit,
                name,
                file: number,
                binding: binding_rank(row.binding),
                kind: row.kind,
                is_stub,
            });
            if self.relevance.addr.is_some() && self.entries.len() >= self.room {
                self.drop_useless();
                self.room = self.entries.len().saturating_mul(2).max(FIRST_PRUNE_AT);
            }
        });
    }

    fn drop_useless(&mut self) {
        let relevance = &self.relevance;
        self.entries
            .retain(|entry| relevance.wants(entry.start, entry.size));
    }

    fn finish(mut self) -> Vec<SymbolEntry> {
        self.drop_useless();
        self.entries
    }
}

/// Which symbols matter to an address: those that cover it, and the last before it,
/// which one without a size reaches no further than; and of that one, those that cover
/// it.
struct Relevance {
    /// Without one, all matter.
    addr: Option<u64>,
    /// The last start before it so far.
    start: u64,
}

impl Relevance {
    fn wants(&self, start: u64, size: u64) -> bool {
        self.addr.is_none_or(|addr| {
            let covers = self.start < start.saturating_add(size);
            start <= addr && (covers || start >= self.start)
        })
    }

    fn note_start(&mut self, start: u64) {
        self.start = self.start.max(start);
    }
}

/// The rank of what only its own file sees.
const LOCAL_RANK: u8 = 2;

fn binding_rank(binding: elf::SymbolBind) -> u8 {
    match binding {
        elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => 0,
        elf::STB_WEAK => 1,
        _ => LOCAL_RANK,
    }
}
