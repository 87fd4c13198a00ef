//! Procedure linkage tables: stubs that jump to functions of other files.
//!
//! No symbol names them, and debug information neither. Their instructions say which
//! slot of the global offset table they jump through, and the slot's relocation says
//! what stands in it:
//!
//! ```text
//!   .plt │ … │ jmp *slot │ …          .rela.plt │ slot: printf │ …
//!              └──────────────────────────────────┘      ⇒  printf@plt
//! ```
//!
//! Which stub is for which slot is read off the instructions and not off the order of
//! both, as linkers differ in how large stubs are, what stands before the first, and
//! which of them share a table: `.plt`, `.plt.sec`, `.plt.got`. The part before the
//! first stub finds functions when they are first called; it has the table's name.
//! Sources: the procedure linkage tables of the psABI documents of each machine, and
//! what GNU ld, gold, lld and mold write.

use std::ops::Range;

use object::elf;

use super::headers::ElfHeaders;
use super::opd::Descriptors;
use super::slots::{GotSlots, SlotNames};
use super::stub::{StubDecoder, StubJump};
use super::symbol_table::{SymbolKind, SymbolRow};

/// Appended to a function's name for its stub.
const PLT_SUFFIX: &[u8] = b"@plt\0";

/// The largest stub, in bytes. A gap to the next stub beyond this holds other code.
const MAX_STUB_BYTES: u64 = 32;

/// The stubs of one file.
#[derive(Debug, Default)]
pub(super) struct Plt {
    pub(super) stubs: Vec<PltStub>,
    /// Their names, each ended by a zero byte.
    pub(super) names: Vec<u8>,
}

/// One stub.
#[derive(Clone, Copy, Debug)]
pub(super) struct PltStub {
    /// A virtual offset.
    pub(super) start: u64,
    /// In bytes.
    pub(super) size: u64,
    /// Where in the names its own begins.
    pub(super) name: usize,
}

/// A stub as it stands in its table.
#[derive(Clone, Copy)]
struct TableStub {
    start: u64,
    /// What its instructions take at least.
    least: u64,
    slot: usize,
}

impl Plt {
    pub(super) fn read(file: &ElfHeaders, descriptors: Option<&Descriptors>) -> Self {
        let mut plt = Self::default();
        let Some(decode) = StubDecoder::of(file) else {
            return plt;
        };
        let slots = GotSlots::read(file);
        if slots.is_empty() {
            return plt;
        }
        let namer = SlotNames::new(file, descriptors, &slots);
        // Each stub and its name is in the file once. A forged one claims more.
        let mut allowance = file.image().len();
        for table in tables(file) {
            let Some(left) = allowance.checked_sub(table.bytes.len()) else {
                break;
            };
            allowance = left;
            let found = table.stubs(&decode, &slots);
            plt.add(&table, &found, &slots, &namer);
        }
        plt
    }

    /// Returns the bytes of memory that they take.
    pub(super) fn bytes(&self) -> usize {
        backsight_index::engine::bytes_of(&self.stubs).saturating_add(self.names.len())
    }

    /// Calls `found` for each stub.
    pub(super) fn for_each<'d>(&'d self, file: &ElfHeaders, mut found: impl FnMut(SymbolRow<'d>)) {
        for stub in &self.stubs {
            found(SymbolRow {
                kind: SymbolKind::Function,
                start: stub.start,
                size: stub.size,
                binding: elf::STB_LOCAL,
                limit: Some(stub.start.saturating_add(stub.size)),
                strings: &self.names,
                strings_at: file.image().len(),
                name_at: stub.name,
            });
        }
    }

    fn add(
        &mut self,
        table: &StubRegion<'_>,
        found: &[TableStub],
        slots: &GotSlots,
        namer: &SlotNames<'_>,
    ) {
        if let (Some(first), false) = (found.first(), table.name.is_empty()) {
            self.push(table.addr..first.start, |names| {
                names.extend_from_slice(table.name);
                names.push(0);
                Some(())
            });
        }
        let mut usual = 0;
        for (at, stub) in found.iter().enumerate() {
            let next = found.get(at.saturating_add(1));
            let next = next.map(|next| next.start.saturating_sub(stub.start));
            let size = match next {
                Some(size) if size <= MAX_STUB_BYTES => size,
                _ => stub.least.max(usual),
            };
            usual = size;
            let end = stub.start.saturating_add(size).min(table.end());
            let allowance = namer.allowance().saturating_sub(self.names.len());
            self.push(stub.start..end, |names| {
                slots.write_name(stub.slot, namer, allowance, names)?;
                names.extend_from_slice(PLT_SUFFIX);
                Some(())
            });
        }
    }

    fn push(&mut self, place: Range<u64>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) {
        let name = self.names.len();
        let size = place.end.saturating_sub(place.start);
        if size == 0 || write(&mut self.names).is_none() {
            self.names.truncate(name);
            return;
        }
        self.stubs.push(PltStub {
            start: place.start,
            size,
            name,
        });
    }
}

/// Whether a stub may be at this virtual offset.
pub(super) fn may_be_stub(file: &ElfHeaders, addr: u64) -> bool {
    let mut tables = tables(file).into_iter();
    tables.any(|table| (table.addr..table.end()).contains(&addr))
}

/// A stretch of code that may hold stubs.
struct StubRegion<'d> {
    /// The section's; empty when the code around is no table.
    name: &'d [u8],
    addr: u64,
    bytes: &'d [u8],
}

/// Returns the sections that hold stubs. Without section headers, all code may.
fn tables(file: &ElfHeaders) -> Vec<StubRegion<'_>> {
    if !file.has_section_headers() {
        let segments = file
            .segments()
            .map(|all| all.as_slice())
            .unwrap_or_default();
        let code = segments
            .iter()
            .filter(|segment| segment.flags.is_executable());
        let tables = code.filter_map(|segment| {
            Some(StubRegion {
                name: b"",
                addr: segment.virt_offset.0,
                bytes: super::section::slice(
                    file.image(),
                    segment.file_offset.0,
                    segment.file_size,
                )?,
            })
        });
        return tables.collect();
    }
    let sections = file.sections().iter().filter(|section| section.is_code());
    let tables = sections.filter_map(|section| {
        let name = section.name(file.image());
        let named = matches!(name, b".plt" | b".iplt") || name.starts_with(b".plt.");
        let bytes = section.raw(file.image()).filter(|_| named)?;
        let addr = section.addr;
        Some(StubRegion { name, addr, bytes })
    });
    tables.collect()
}

impl StubRegion<'_> {
    fn end(&self) -> u64 {
        let size = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        self.addr.saturating_add(size)
    }

    /// Returns the stubs, ascending.
    fn stubs(&self, decode: &StubDecoder, slots: &GotSlots) -> Vec<TableStub> {
        let mut found = Vec::new();
        let mut at = 0;
        // Outside of tables, a stub is known only by a slot that nothing else uses.
        let alone = self.name.is_empty();
        let step = decode.step(alone);
        while let Some(code) = self.bytes.get(at..).filter(|code| !code.is_empty()) {
            let into = u64::try_from(at).unwrap_or(u64::MAX);
            let start = self.addr.saturating_add(into);
            let stub = decode.stub(code, start);
            let slot = stub.and_then(|stub| match stub.through {
                StubJump::Slot(addr) => slots.at(addr, alone),
                StubJump::Relocation(number) => slots.of_relocation(number),
            });
            let size = match (stub, slot) {
                (Some(stub), Some(slot)) => {
                    let size = stub.size.checked_next_multiple_of(step).unwrap_or(step);
                    let least = u64::try_from(size).unwrap_or(u64::MAX);
                    found.push(TableStub { start, least, slot });
                    size
                }
                _ => step,
            };
            at = at.saturating_add(size);
        }
        found
    }
}
