//! The files that go with a file's DWARF, opened when they are first needed.
//!
//! They are kept here, beside the sections of the main file, so that an index can
//! borrow from all of them alike.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Fault;
use super::arena::Arena;
use super::sections::{Role, Sections};
use crate::elf::ElfFile;
use crate::locate::{Near, Search, Site};
use crate::{Options, SoughtKind};

/// What was found, and what finding more may cost.
#[derive(Debug)]
pub(super) struct Companions {
    options: Arc<Options>,
    /// Where the file with the DWARF stands, and then the module.
    near: Near,
    supplementary: Option<Sections>,
    package: OnceLock<Option<Sections>>,
    split: Arena<Sections>,
    left: Mutex<Budget>,
    /// What was there to begin with.
    budget: Budget,
    limited: AtomicBool,
    missing: AtomicBool,
    strangers: AtomicBool,
}

/// What the companions may take together, in bytes.
#[derive(Clone, Copy, Debug)]
struct Budget {
    unpacked: u64,
    read: u64,
}

impl Companions {
    /// Opens the supplementary file, without which strings of the main file are
    /// missing; `unpacked_bytes` may be unpacked for all companions.
    pub(super) fn new(
        main: &ElfFile,
        near: Near,
        unpacked_bytes: u64,
        options: Arc<Options>,
    ) -> Self {
        let budget = Budget {
            unpacked: unpacked_bytes,
            read: options.limits.file_bytes,
        };
        let mut companions = Self {
            left: Mutex::new(budget),
            budget,
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
        companions.supplementary = found.and_then(|elf| companions.load(elf, Role::Supplementary));
        if link.is_some() && companions.supplementary.is_none() {
            companions.missing = AtomicBool::new(true);
        }
        companions
    }

    pub(super) fn supplementary(&self) -> Option<&Sections> {
        self.supplementary.as_ref()
    }

    /// Returns the package of split units.
    pub(super) fn package(&self) -> Option<&Sections> {
        let open = || {
            let mut found = self.search().packages();
            found.find_map(|site| {
                let elf = self.read(SoughtKind::Package, &site)?;
                self.load(elf, Role::Package)
            })
        };
        self.package.get_or_init(open).as_ref()
    }

    /// Returns the `.dwo` file of this name that is the one: several places may have
    /// one of that name.
    pub(super) fn split_file(
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
            let sections = self.load(elf, Role::Split)?;
            let is_it = is_it(&sections);
            if !is_it {
                // It was read, and is of another compilation.
                let refused = Err(crate::Error::BuildIdMismatch);
                self.near.note(SoughtKind::SplitUnit, &site, refused);
            }
            is_it.then(|| self.split.keep(sections)).flatten()
        });
        if found.is_none() {
            self.missing.store(true, Ordering::Relaxed);
        }
        found
    }

    /// Returns the bytes of memory that they take.
    pub(super) fn taken_bytes(&self) -> u64 {
        let left = *self.left();
        let unpacked = self.budget.unpacked.saturating_sub(left.unpacked);
        unpacked.saturating_add(self.budget.read.saturating_sub(left.read))
    }

    /// Whether a limit kept one from being read.
    pub(super) fn limited(&self) -> bool {
        self.limited.load(Ordering::Relaxed)
    }

    /// Whether one was looked for and not found.
    pub(super) fn missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// Whether others decide what one of them says.
    pub(super) fn has_strangers(&self) -> bool {
        self.strangers.load(Ordering::Relaxed)
    }

    fn left(&self) -> MutexGuard<'_, Budget> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self) -> Search<'_> {
        Search {
            options: &self.options,
            near: &self.near,
        }
    }

    /// Reads a file, as far as the budget for all of them lasts.
    fn read(&self, kind: SoughtKind, site: &Site) -> Option<ElfFile> {
        let limit = self.left().read;
        let read = self.search().read(site, limit);
        let outcome = read.as_ref().map(drop).map_err(Clone::clone);
        self.near.note(kind, site, outcome);
        match read {
            Ok(elf) => {
                let mut left = self.left();
                left.read = left.read.saturating_sub(elf.read_bytes());
                Some(elf)
            }
            Err(crate::Error::TooLarge { .. }) => {
                self.limited.store(true, Ordering::Relaxed);
                None
            }
            Err(_) => None,
        }
    }

    fn load(&self, elf: ElfFile, role: Role) -> Option<Sections> {
        self.strangers
            .fetch_or(elf.is_of_strangers(), Ordering::Relaxed);
        // Not locked meanwhile: unpacking takes time. Two at once may together take
        // more than was left, each no more than that.
        let before = self.left().unpacked;
        let mut after = before;
        let sections = Sections::load(Arc::new(elf), role, &mut after);
        let mut left = self.left();
        left.unpacked = left.unpacked.saturating_sub(before.saturating_sub(after));
        drop(left);
        if sections.as_ref().is_err_and(|fault| *fault == Fault::Limit) {
            self.limited.store(true, Ordering::Relaxed);
        }
        sections.ok()
    }
}
