//! One file's DWARF, owned: the sections and the index that borrows from them.

use std::sync::Arc;

use super::companions::Companions;
use super::index::Index;
use super::sections::{Role, Sections};
use super::{Fault, Found};
use crate::Options;
use crate::elf::ElfFile;
use crate::locate::Site;

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
        near: Vec<Site>,
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
}

impl std::fmt::Debug for DwarfFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DwarfFile").finish_non_exhaustive()
    }
}
