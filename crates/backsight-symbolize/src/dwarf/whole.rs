//! Sections, and the index that borrows from them.

use std::sync::Arc;

use super::companions::Companions;
use super::damage::Damage;
use super::found::Found;
use super::index::Index;
use super::scope::Texts;
use super::sections::Sections;
use crate::options::Options;

/// What the index borrows from.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) sections: Sections,
    pub(super) companions: Companions,
    pub(super) options: Arc<Options>,
    /// What names are put together from.
    pub(super) texts: Texts,
    /// What turned out to be unreadable so far.
    pub(super) damage: Damage,
}

self_cell::self_cell! {
    /// Sections and their index.
    pub(super) struct Whole {
        owner: Owner,
        #[not_covariant]
        dependent: Index,
    }
}

impl Whole {
    /// Reads nothing yet.
    pub(super) fn of(owner: Owner) -> Self {
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
    pub(super) fn find(&self, addr: u64) -> Found {
        self.with_dependent(|_, index| index.find(addr))
    }

    /// Returns whether anything was asked for that more bytes of `.debug_info` might
    /// answer differently.
    pub(super) fn looked_beyond(&self) -> bool {
        self.with_dependent(|_, index| index.units().looked_beyond())
    }
}
