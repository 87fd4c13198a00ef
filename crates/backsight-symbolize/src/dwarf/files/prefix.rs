//! The first lookups in packed debug information: no more of it is unpacked than up to
//! the unit they need.
//!
//! `.debug_aranges` says where the unit is. An index of the bytes up to its end answers
//! as that of all would, unless it looks for another unit; then it does not count.

use std::sync::Arc;

use gimli::Reader;

use super::sections::Sections;
use super::whole::{Owner, Whole};
use crate::dwarf::damage::Damage;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::found::Found;
use crate::dwarf::lookup::FEW;
use crate::dwarf::ranges::aranges;
use crate::elf::ElfFile;
use crate::unpack::Growing;

/// Bytes of a unit that say how long it is.
const LENGTH: usize = 12;

/// What is unpacked so far.
#[derive(Debug)]
pub(in crate::dwarf) struct Prefix {
    growing: Growing,
    /// `None` before the first lookup, and once memory was short.
    owner: Option<Owner>,
    lookups: usize,
}

impl Prefix {
    /// Unpacks nothing yet.
    pub(in crate::dwarf) fn new(growing: Growing) -> Self {
        Self {
            growing,
            owner: None,
            lookups: 0,
        }
    }

    /// Returns what is known of `addr`, or `None` when more has to be unpacked for that
    /// than pays off. `owner` has what belongs to the sections.
    pub(in crate::dwarf) fn find(
        &mut self,
        addr: u64,
        elf: &Arc<ElfFile>,
        owner: impl FnOnce(Sections) -> Owner,
    ) -> Option<Found> {
        if self.lookups >= FEW {
            return None;
        }
        self.lookups = self.lookups.saturating_add(1);
        if !elf.is_code(addr) {
            return Some(Found::default());
        }
        let unit_at = |aranges: Slice<'_>| {
            let aranges = aranges::read(aranges, Some(addr), 1, elf);
            aranges.find(addr).next()
        };
        let growing = &mut self.growing;
        let begun = match self.owner.take() {
            Some(mut owner) => {
                let unit = unit_at(owner.sections.slice(gimli::SectionId::DebugAranges));
                if let Some(bytes) = owner.sections.info_mut() {
                    grow(growing, elf, bytes, unit);
                }
                owner
            }
            None => {
                let sections = Sections::load_beside(Arc::clone(elf), |aranges| {
                    let mut bytes = Vec::new();
                    grow(growing, elf, &mut bytes, unit_at(aranges));
                    bytes
                });
                owner(sections.ok()?)
            }
        };
        let index = Whole::of(begun);
        let found = index.find(addr);
        let counts = !index.looked_beyond();
        let mut owner = index.into_owner();
        if !counts {
            // What was met behind the end of the prefix is no damage.
            owner.damage = Damage::default();
        }
        self.owner = Some(owner);
        counts.then_some(found)
    }
}

impl Prefix {
    /// Returns what was begun, to look into it.
    pub(in crate::dwarf) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// Unpacks the rest; `None` when nothing was begun.
    pub(in crate::dwarf) fn finish(mut self, elf: &ElfFile) -> Option<Owner> {
        let mut owner = self.owner.take()?;
        let bytes = owner.sections.info_mut();
        let finished = bytes.map(|bytes| self.growing.finish(elf.image(), bytes));
        if !matches!(finished, Some(Ok(()))) && owner.sections.load_info_anew().is_err() {
            return None;
        }
        Some(owner)
    }
}

/// Unpacks up to the end of the unit that begins there. What is malformed ends it.
fn grow(growing: &mut Growing, elf: &ElfFile, bytes: &mut Vec<u8>, unit: Option<usize>) {
    let Some(unit) = unit else { return };
    let head = unit.saturating_add(LENGTH);
    if growing.grow(elf.image(), bytes, head).is_err() {
        return;
    }
    let head = bytes.get(unit..).unwrap_or_default();
    let mut head = Slice::new(head, super::sections::endian(elf));
    let length = head.read_initial_length();
    let length = length.map_or(0, |(length, _)| length.saturating_add(LENGTH));
    let _ = growing.grow(elf.image(), bytes, unit.saturating_add(length));
}
