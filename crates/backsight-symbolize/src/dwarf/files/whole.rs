//! Sections, and the index that borrows from them.

use std::sync::Arc;

use super::companions::Companions;
use super::sections::Sections;
use crate::dwarf::damage::Damage;
use crate::dwarf::found::Found;
use crate::dwarf::functions::scope::Texts;
use crate::dwarf::lookup::Index;
use crate::options::Options;

/// What the index borrows from.
#[derive(Debug)]
pub(in crate::dwarf) struct Owner {
    pub(in crate::dwarf) sections: Sections,
    pub(in crate::dwarf) companions: Companions,
    pub(in crate::dwarf) options: Arc<Options>,
    /// What names are put together from.
    pub(in crate::dwarf) texts: Texts,
    /// What turned out to be unreadable so far.
    pub(in crate::dwarf) damage: Damage,
}

self_cell::self_cell! {
    /// Sections and their index.
    pub(in crate::dwarf) struct Whole {
        owner: Owner,
        #[not_covariant]
        dependent: Index,
    }
}

impl Whole {
    /// Reads nothing yet.
    pub(in crate::dwarf) fn of(owner: Owner) -> Self {
        Self::new(owner, |owner| {
            Index::new(
                &owner.sections,
                &owner.companions,
                &owner.options,
                &owner.texts,
                &owner.damage,
            )
        })
    }

    /// Returns what is known of the code at this virtual offset.
    pub(in crate::dwarf) fn find(&self, addr: u64) -> Found {
        self.with_dependent(|_, index| index.find(addr))
    }

    /// Returns whether anything was asked for that more bytes of `.debug_info` might
    /// answer differently.
    pub(in crate::dwarf) fn looked_beyond(&self) -> bool {
        self.with_dependent(|_, index| index.units().looked_beyond())
    }
}
