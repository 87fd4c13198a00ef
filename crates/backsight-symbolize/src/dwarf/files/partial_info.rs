//! The first lookups in compressed debug information: `.debug_info` is unpacked only up to
//! the end of the unit they need.
//!
//! `.debug_aranges` says where the unit is. If a lookup needs another unit behind that end,
//! its answer is dropped, and the caller unpacks the whole section.

use std::sync::Arc;

use gimli::Reader;

use super::loaded_dwarf::{DwarfOwner, LoadedDwarf};
use super::sections::DwarfSections;
use crate::dwarf::answer::DwarfAnswer;
use crate::dwarf::damage::Damage;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::lookup::TARGETED_LOOKUPS;
use crate::dwarf::ranges::aranges;
use crate::elf::ElfFile;
use crate::unpack::PartialUnpack;

/// Bytes of the longest initial length, in 64-bit DWARF.
const INITIAL_LENGTH_BYTES: usize = 12;

/// What is unpacked so far.
#[derive(Debug)]
pub(in crate::dwarf) struct PartialInfo {
    unpack: PartialUnpack,
    /// `None` before the first lookup, and once memory was short.
    owner: Option<DwarfOwner>,
    lookups: usize,
}

impl PartialInfo {
    /// Unpacks nothing yet.
    pub(in crate::dwarf) fn new(unpack: PartialUnpack) -> Self {
        Self {
            unpack,
            owner: None,
            lookups: 0,
        }
    }

    /// Returns what DWARF says of `addr`. `None` when the whole section should be unpacked
    /// for it. `owner` adds to the sections what lookups need beside them.
    pub(in crate::dwarf) fn find(
        &mut self,
        addr: u64,
        elf: &Arc<ElfFile>,
        owner: impl FnOnce(DwarfSections) -> DwarfOwner,
    ) -> Option<DwarfAnswer> {
        if self.lookups >= TARGETED_LOOKUPS {
            return None;
        }
        self.lookups = self.lookups.saturating_add(1);
        if !elf.is_code(addr) {
            return Some(DwarfAnswer::default());
        }
        let unit_at = |aranges: Slice<'_>| {
            let aranges = aranges::read(aranges, Some(addr), 1, elf);
            aranges.find(addr).next()
        };
        let unpack = &mut self.unpack;
        let begun = match self.owner.take() {
            Some(mut owner) => {
                let unit = unit_at(owner.sections.slice(gimli::SectionId::DebugAranges));
                if let Some(bytes) = owner.sections.info_mut() {
                    grow(unpack, elf, bytes, unit);
                }
                owner
            }
            None => {
                let sections = DwarfSections::load_beside(Arc::clone(elf), |aranges| {
                    let mut bytes = Vec::new();
                    grow(unpack, elf, &mut bytes, unit_at(aranges));
                    bytes
                });
                owner(sections.ok()?)
            }
        };
        let index = LoadedDwarf::of(begun);
        let found = index.find(addr);
        let counts = !index.needs_more_units();
        let mut owner = index.into_owner();
        if !counts {
            // A read past the unpacked part is not damage.
            owner.damage = Damage::default();
        }
        self.owner = Some(owner);
        counts.then_some(found)
    }
}

impl PartialInfo {
    /// Returns what was unpacked so far.
    pub(in crate::dwarf) fn owner(&self) -> Option<&DwarfOwner> {
        self.owner.as_ref()
    }

    /// Unpacks the rest; `None` when nothing was unpacked yet.
    pub(in crate::dwarf) fn finish(mut self, elf: &ElfFile) -> Option<DwarfOwner> {
        let mut owner = self.owner.take()?;
        let bytes = owner.sections.info_mut();
        let finished = bytes.map(|bytes| self.unpack.finish(elf.image(), bytes));
        if !matches!(finished, Some(Ok(()))) && owner.sections.load_info_anew().is_err() {
            return None;
        }
        Some(owner)
    }
}

/// Unpacks up to the end of the unit that begins there. What is malformed ends it.
fn grow(unpack: &mut PartialUnpack, elf: &ElfFile, bytes: &mut Vec<u8>, unit: Option<usize>) {
    let Some(unit) = unit else { return };
    let head = unit.saturating_add(INITIAL_LENGTH_BYTES);
    if unpack.grow(elf.image(), bytes, head).is_err() {
        return;
    }
    let head = bytes.get(unit..).unwrap_or_default();
    let mut head = Slice::new(head, super::sections::endian(elf));
    let length = head.read_initial_length();
    let length = length.map_or(0, |(length, _)| length.saturating_add(INITIAL_LENGTH_BYTES));
    let _ = unpack.grow(elf.image(), bytes, unit.saturating_add(length));
}
