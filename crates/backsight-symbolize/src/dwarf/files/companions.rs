//! The files that go with a file's DWARF, opened when they are first needed.
//!
//! They are kept here, beside the sections of the main file, so that an index can
//! borrow from all of them alike.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::allowance::Allowance;
use super::arena::Arena;
use super::sections::{Role, Sections};
use crate::dwarf::fault::Fault;
use crate::elf::ElfFile;
use crate::locate::{Near, Search, Site};
use crate::options::Options;
use crate::oversized::Oversized;
use crate::shortfall::ShortfallKind;
use crate::sought::SoughtKind;

/// What was found, and what finding more may cost.
#[derive(Debug)]
pub(in crate::dwarf) struct Companions {
    options: Arc<Options>,
    /// Where the file with the DWARF stands, and then the module.
    near: Near,
    supplementary: Option<Sections>,
    package: OnceLock<Option<Sections>>,
    split: Arena<Sections>,
    taken: Mutex<Taken>,
    /// What the main file had taken before.
    before: Allowance,
    limited: AtomicBool,
    missing: AtomicBool,
    strangers: AtomicBool,
}

/// What the companions take together.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// The main file included.
    unpacked: Allowance,
    /// Bytes of files that are not mapped.
    read: u64,
}

impl Companions {
    /// Opens the supplementary file, without which strings of the main file are
    /// missing. `before` is what the main file took of what all may unpack.
    pub(in crate::dwarf) fn new(
        main: &ElfFile,
        near: Near,
        before: Allowance,
        options: Arc<Options>,
    ) -> Self {
        let taken = Taken {
            unpacked: before,
            read: 0,
        };
        let mut companions = Self {
            taken: Mutex::new(taken),
            before,
            options,
            near,
            supplementary: None,
            package: OnceLock::new(),
            split: Arena::default(),
            limited: AtomicBool::new(false),
            missing: AtomicBool::new(false),
            strangers: AtomicBool::new(false),
        };
        let link = main.alt_link();
        let found = link.and_then(|link| companions.search().supplementary(&link));
        companions.supplementary =
            found.and_then(|found| companions.load(found.elf, Role::Supplementary, &found.site));
        if link.is_some() && companions.supplementary.is_none() {
            companions.note_missing();
        }
        companions
    }

    pub(in crate::dwarf) fn supplementary(&self) -> Option<&Sections> {
        self.supplementary.as_ref()
    }

    /// Returns the package of split units.
    pub(in crate::dwarf) fn package(&self) -> Option<&Sections> {
        let open = || {
            let mut found = self.search().packages();
            found.find_map(|site| {
                let elf = self.read(SoughtKind::Package, &site)?;
                self.load(elf, Role::Package, &site)
            })
        };
        self.package.get_or_init(open).as_ref()
    }

    /// Returns the `.dwo` file of this name that is the one: several places may have
    /// one of that name.
    pub(in crate::dwarf) fn split_file(
        &self,
        name: &[u8],
        comp_dir: Option<&[u8]>,
        is_it: impl Fn(&Sections) -> bool,
    ) -> Option<&Sections> {
        let sites = self.search().split_files(name, comp_dir);
        let found = sites.into_iter().find_map(|site| {
            if self.split.len() >= self.options.limits.split_files {
                self.limited.store(true, Ordering::Relaxed);
                return None;
            }
            let elf = self.read(SoughtKind::SplitUnit, &site)?;
            let sections = self.load(elf, Role::Split, &site)?;
            let is_it = is_it(&sections);
            if !is_it {
                // It was read, and is of another compilation.
                let refused = Err(crate::error::Error::BuildIdMismatch);
                self.near.note(SoughtKind::SplitUnit, &site, refused);
            }
            is_it.then(|| self.split.keep(sections)).flatten()
        });
        if found.is_none() {
            self.note_missing();
        }
        found
    }

    fn note_missing(&self) {
        if !self.missing.swap(true, Ordering::Relaxed) {
            self.near.note_shortfall(ShortfallKind::Missing);
        }
    }

    /// Returns the bytes of memory that they take.
    pub(in crate::dwarf) fn taken_bytes(&self) -> u64 {
        let taken = *self.taken();
        let unpacked = taken.unpacked.unpacked();
        let unpacked = unpacked.saturating_sub(self.before.unpacked());
        unpacked.saturating_add(taken.read)
    }

    /// Whether a limit kept one from being read.
    pub(in crate::dwarf) fn limited(&self) -> bool {
        self.limited.load(Ordering::Relaxed)
    }

    /// Whether one was looked for and not found.
    pub(in crate::dwarf) fn missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// Whether others decide what one of them says.
    pub(in crate::dwarf) fn has_strangers(&self) -> bool {
        self.strangers.load(Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self) -> Search<'_> {
        Search {
            options: &self.options,
            near: &self.near,
        }
    }

    /// Reads a file, as far as the budget for all of them lasts.
    fn read(&self, kind: SoughtKind, site: &Site) -> Option<ElfFile> {
        let limit = self.options.limits.file_bytes;
        let limit = limit.saturating_sub(self.taken().read);
        let read = self.search().read(site, limit);
        let outcome = read.as_ref().map(drop).map_err(Clone::clone);
        self.near.note(kind, site, outcome);
        match read {
            Ok(elf) => {
                let mut taken = self.taken();
                taken.read = taken.read.saturating_add(elf.read_bytes());
                Some(elf)
            }
            Err(crate::error::Error::TooLarge { .. }) => {
                self.limited.store(true, Ordering::Relaxed);
                None
            }
            Err(_) => None,
        }
    }

    fn load(&self, elf: ElfFile, role: Role, site: &Site) -> Option<Sections> {
        self.strangers
            .fetch_or(elf.is_of_strangers(), Ordering::Relaxed);
        let note = |needed, allowed| {
            self.limited.store(true, Ordering::Relaxed);
            self.near.oversized().note(Oversized {
                path: Some(site.shown()),
                needed,
                allowed,
            });
        };
        let mut cost = 0;
        let mut allowed = Ok(());
        let sections = Sections::load(Arc::new(elf), role, |wanted| {
            cost = wanted.unpacked;
            allowed = self.taken().unpacked.take(wanted, &self.options.limits);
            allowed.map_err(|_| Fault::Limit)
        });
        match (allowed, &sections) {
            (Err(refused), _) => note(refused.needed, Some(refused.allowed)),
            (Ok(()), Err(Fault::Limit)) => note(cost, None),
            _ => {}
        }
        let sections = sections.ok()?;
        if sections.are_damaged() {
            self.near
                .note_shortfall_of(site.shown(), ShortfallKind::Damaged);
        }
        Some(sections)
    }
}
