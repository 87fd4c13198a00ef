//! The sections of a file's DWARF, and the lookup tables that borrow from them.

use std::sync::Arc;

use super::companions::Companions;
use super::sections::DwarfSections;
use crate::dwarf::answer::DwarfAnswer;
use crate::dwarf::damage::Damage;
use crate::dwarf::functions::scope::TextArena;
use crate::dwarf::lookup::DwarfLookup;
use crate::options::Options;

/// What the lookup tables borrow from.
#[derive(Debug)]
pub(in crate::dwarf) struct DwarfOwner {
    pub(in crate::dwarf) sections: DwarfSections,
    pub(in crate::dwarf) companions: Companions,
    pub(in crate::dwarf) options: Arc<Options>,
    /// Names that were joined from scopes.
    pub(in crate::dwarf) texts: TextArena,
    /// What turned out to be unreadable so far.
    pub(in crate::dwarf) damage: Damage,
}

self_cell::self_cell! {
    /// Sections and their lookup tables.
    pub(in crate::dwarf) struct LoadedDwarf {
        owner: DwarfOwner,
        #[not_covariant]
        dependent: DwarfLookup,
    }
}

impl LoadedDwarf {
    /// Reads nothing yet.
    pub(in crate::dwarf) fn of(owner: DwarfOwner) -> Self {
        Self::new(owner, |owner| {
            DwarfLookup::new(
                &owner.sections,
                &owner.companions,
                &owner.options,
                &owner.texts,
                &owner.damage,
            )
        })
    }

    /// Returns what is known of the code at this virtual offset.
    pub(in crate::dwarf) fn find(&self, addr: u64) -> DwarfAnswer {
        self.with_dependent(|_, index| index.find(addr))
    }

    /// Returns whether anything was asked for that more bytes of `.debug_info` might
    /// answer differently.
    pub(in crate::dwarf) fn needs_more_units(&self) -> bool {
        self.with_dependent(|_, index| index.units().needs_more_units())
    }
}
