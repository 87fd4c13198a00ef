//! The files that go with a file's DWARF, opened when they are first needed.
//!
//! They are kept here, beside the sections of the main file, so that an index can
//! borrow from all of them alike.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::allowance::UnpackAllowance;
use super::arena::Arena;
use super::sections::{DwarfSections, FileRole};
use crate::dwarf::damage::Damage;
use crate::dwarf::fault::Fault;
use crate::elf::ElfFile;
use crate::error::{Cause, Error};
use crate::locate::{FileSearch, SearchBase, Site};
use crate::options::Options;
use crate::oversized::Oversized;
use crate::shortfall::ShortfallKind;
use crate::sought::SoughtKind;

/// What was found, and what finding more may cost.
#[derive(Debug)]
pub(in crate::dwarf) struct Companions {
    options: Arc<Options>,
    /// Where the file with the DWARF stands, and then the module.
    base: SearchBase,
    supplementary: Option<DwarfSections>,
    package: OnceLock<Option<DwarfSections>>,
    split: Arena<DwarfSections>,
    taken: Mutex<CompanionBytes>,
    /// What the main file had taken before.
    before: UnpackAllowance,
    limited: AtomicBool,
    missing: AtomicBool,
    untrusted: AtomicBool,
}

/// What the companions take together.
#[derive(Clone, Copy, Debug)]
struct CompanionBytes {
    /// The main file included.
    unpacked: UnpackAllowance,
    /// Bytes of files that are not mapped.
    read: u64,
}

impl Companions {
    /// Opens the supplementary file, without which strings of the main file are
    /// missing. `before` is what the main file took of what all may unpack.
    pub(in crate::dwarf) fn new(
        main: &ElfFile,
        base: SearchBase,
        before: UnpackAllowance,
        options: Arc<Options>,
    ) -> Self {
        let taken = CompanionBytes {
            unpacked: before,
            read: 0,
        };
        let mut companions = Self {
            taken: Mutex::new(taken),
            before,
            options,
            base,
            supplementary: None,
            package: OnceLock::new(),
            split: Arena::default(),
            limited: AtomicBool::new(false),
            missing: AtomicBool::new(false),
            untrusted: AtomicBool::new(false),
        };
        let link = main.alt_link();
        let found = link.and_then(|link| companions.search().supplementary(&link));
        companions.supplementary = found
            .and_then(|found| companions.load(found.elf, FileRole::Supplementary, &found.site));
        if link.is_some() && companions.supplementary.is_none() {
            let refused = companions.base.refused(SoughtKind::Supplementary, |_| true);
            companions.note_lack(refused);
        }
        companions
    }

    pub(in crate::dwarf) fn supplementary(&self) -> Option<&DwarfSections> {
        self.supplementary.as_ref()
    }

    /// Returns the package of split units.
    pub(in crate::dwarf) fn package(&self) -> Option<&DwarfSections> {
        let open = || {
            let mut found = self.search().packages();
            found.find_map(|site| {
                let elf = self.read(SoughtKind::Package, &site)?;
                self.load(elf, FileRole::Package, &site)
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
        is_it: impl Fn(&DwarfSections) -> Result<(), Error>,
    ) -> Option<&DwarfSections> {
        let sites = self.search().split_files(name, comp_dir);
        let found = sites.iter().find_map(|site| {
            if self.split.len() >= self.options.limits.split_files {
                self.limited.store(true, Ordering::Relaxed);
                return None;
            }
            let elf = self.read(SoughtKind::SplitUnit, site)?;
            let sections = self.load(elf, FileRole::Split, site)?;
            let is_it = is_it(&sections);
            if is_it.is_err() {
                // It was read, and has not what it should have.
                self.base.note(SoughtKind::SplitUnit, site, is_it.clone());
            }
            is_it.ok().and_then(|()| self.split.keep(sections))
        });
        if found.is_none() {
            let mut refused = self.base.refused(SoughtKind::SplitUnit, |_| true);
            refused.retain(|path| sites.iter().any(|site| site.shown() == *path));
            // A package stands in for all of them.
            refused.extend(self.base.refused(SoughtKind::Package, |_| true));
            self.note_lack(refused);
        }
        found
    }

    /// Notes that a file is not there, or which of those that are there were refused.
    fn note_lack(&self, refused: Vec<PathBuf>) {
        self.missing.store(true, Ordering::Relaxed);
        if refused.is_empty() {
            self.base.note_shortfall(ShortfallKind::Missing);
        }
        // One file has several names: by its folder, and beside the module.
        let mut named = HashSet::new();
        let is_new = |path: &PathBuf| named.insert(path.canonicalize().ok());
        for path in refused.into_iter().filter(is_new) {
            self.base.note_shortfall_of(path, ShortfallKind::Refused);
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
    pub(in crate::dwarf) fn has_untrusted(&self) -> bool {
        self.untrusted.load(Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, CompanionBytes> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self) -> FileSearch<'_> {
        FileSearch {
            options: &self.options,
            base: &self.base,
        }
    }

    /// Reads a file, as far as the allowance for all of them lasts.
    fn read(&self, kind: SoughtKind, site: &Site) -> Option<ElfFile> {
        let limit = self.options.limits.file_bytes;
        let limit = limit.saturating_sub(self.taken().read);
        let read = match self.search().read(site, limit) {
            Ok(elf) if elf.is_cut_off() => Err(Cause::CUT_OFF.into()),
            read => read,
        };
        let outcome = read.as_ref().map(drop).map_err(Clone::clone);
        self.base.note(kind, site, outcome);
        match read {
            Ok(elf) => {
                let mut taken = self.taken();
                taken.read = taken.read.saturating_add(elf.read_bytes());
                Some(elf)
            }
            Err(error) => {
                if let Cause::TooLarge { .. } = error.cause() {
                    self.limited.store(true, Ordering::Relaxed);
                }
                None
            }
        }
    }

    fn load(&self, elf: ElfFile, role: FileRole, site: &Site) -> Option<DwarfSections> {
        self.untrusted
            .fetch_or(elf.is_untrusted(), Ordering::Relaxed);
        let note = |needed, allowed| {
            self.limited.store(true, Ordering::Relaxed);
            self.base.oversized().note(Oversized {
                path: Some(site.shown()),
                needed,
                allowed,
            });
        };
        if let Some(packer) = DwarfSections::not_built(&elf, role) {
            let kind = ShortfallKind::NotBuilt(packer);
            self.base.note_shortfall_of(site.shown(), kind);
        }
        let mut cost = 0;
        let mut allowed = Ok(());
        let sections = DwarfSections::load(Arc::new(elf), role, |wanted| {
            cost = wanted.unpacked;
            allowed = self.taken().unpacked.take(wanted, &self.options.limits);
            allowed.map_err(|_| Fault::Limit)
        });
        match (allowed, &sections) {
            (Err(refused), _) => note(refused.needed, Some(refused.allowed)),
            (Ok(()), Err(Fault::Limit)) => note(cost, None),
            _ => {}
        }
        let mut sections = sections.ok()?;
        let is_damaged = sections.are_damaged();
        sections.damage = Damage::of_file(self.base.clone(), site.shown());
        if is_damaged {
            sections.damage.note();
        }
        Some(sections)
    }
}
