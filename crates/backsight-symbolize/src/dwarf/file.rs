//! One file's DWARF, owned: the sections and the index that borrows from them.

use std::sync::Arc;

use gimli::Section;

use super::companions::Companions;
use super::flatten::flatten;
use super::index::Index;
use super::part::UnitPart;
use super::sections::{Role, Sections};
use super::{Fault, Found};
use crate::Options;
use crate::claims::Claims;
use crate::code_map::CodeMap;
use crate::elf::ElfFile;
use crate::locate::Near;

/// What the index borrows from.
struct Owner {
    sections: Sections,
    companions: Companions,
    options: Arc<Options>,
}

self_cell::self_cell! {
    /// The DWARF of one file.
    pub(crate) struct DwarfFile {
        owner: Owner,
        #[not_covariant]
        dependent: Index,
    }
}

impl DwarfFile {
    /// Returns the file's DWARF, or `None` when it has none. Files that go with it are
    /// looked for near these places: its own, then the module's.
    pub(crate) fn open(
        elf: &Arc<ElfFile>,
        near: Near,
        options: &Arc<Options>,
    ) -> Option<Result<Self, Fault>> {
        if !Sections::present(elf) {
            return None;
        }
        let mut budget = options.limits.unpacked_bytes;
        let sections = Sections::load(Arc::clone(elf), Role::Main, &mut budget);
        Some(sections.map(|sections| {
            let options = Arc::clone(options);
            let companions = Companions::new(elf, near, budget, Arc::clone(&options));
            let owner = Owner {
                sections,
                companions,
                options,
            };
            Self::new(owner, |owner| {
                Index::new(&owner.sections, &owner.companions, &owner.options)
            })
        }))
    }

    /// Returns what is known of the code at this virtual offset.
    pub(crate) fn find(&self, addr: u64) -> Found {
        self.with_dependent(|_, index| index.find(addr))
    }

    /// Returns the bytes of `.debug_info`.
    pub(crate) fn info_size(&self) -> usize {
        self.with_dependent(|_, index| index.home.dwarf.debug_info.reader().len())
    }

    /// Returns whether a file that goes with it was looked for and not found.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.borrow_owner().companions.missing()
    }

    /// Returns the bytes of memory that it takes: what was unpacked, and its tables.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let owner = self.borrow_owner();
        let unpacked = owner.sections.unpacked_bytes();
        let tables = self.with_dependent(|_, index| index.kept.get());
        unpacked
            .saturating_add(owner.companions.taken_bytes())
            .saturating_add(tables)
    }

    /// Lends the file's units to `work`.
    pub(crate) fn with_units<T>(&self, work: impl FnOnce(FileUnits<'_, '_>) -> T) -> T {
        self.with_dependent(|_, index| work(FileUnits(index)))
    }
}

/// The units of one file, by their place in `.debug_info`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileUnits<'u, 'd>(&'u Index<'d>);

impl<'d> FileUnits<'_, 'd> {
    /// Returns where each unit begins, and how many bytes it has.
    pub(crate) fn list(self) -> Vec<(usize, usize)> {
        let offsets: Vec<usize> = self.0.units.offsets().collect();
        let ends = offsets.iter().skip(1).copied();
        let ends = ends.chain(std::iter::once(usize::MAX));
        let pairs = offsets.iter().zip(ends);
        pairs
            .map(|(at, end)| (*at, end.saturating_sub(*at)))
            .collect()
    }

    /// Returns all that the unit that begins at `offset` says of its code.
    pub(crate) fn flatten(self, offset: usize, code: &CodeMap) -> UnitPart<'d> {
        let unit = self.0.units.at(offset);
        let unit = unit.filter(|unit| unit.may_hold_code());
        unit.map_or_else(UnitPart::default, |unit| flatten(unit, self.0, code))
    }

    /// Gives the pages of the file back: what was flattened is not read again.
    pub(crate) fn release(self) {
        self.0.elf.release();
    }

    /// Returns which units a lookup would ask where.
    pub(crate) fn claims(self, code: &CodeMap) -> Claims {
        self.0.claims(code)
    }
}

impl std::fmt::Debug for DwarfFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DwarfFile").finish_non_exhaustive()
    }
}
