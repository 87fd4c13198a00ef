//! One file's DWARF, owned: the sections and the index that borrows from them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use backsight_index::engine::{CodeOffsets, UnitPart, UnitRanges};
use gimli::SectionId;

use super::allowance::UnpackAllowance;
use super::companions::Companions;
use super::loaded_dwarf::{DwarfOwner, LoadedDwarf};
use super::partial_info::PartialInfo;
use super::sections::{DwarfSections, FileRole};
use crate::dwarf::answer::DwarfAnswer;
use crate::dwarf::damage::Damage;
use crate::dwarf::fault::Fault;
use crate::dwarf::flatten::{FlattenScratch, flatten};
use crate::dwarf::functions::scope::TextArena;
use crate::dwarf::lookup::DwarfLookup;
use crate::elf::ElfFile;
use crate::locate::SearchBase;
use crate::options::Options;
use crate::oversized::Oversized;
use crate::shortfall::ShortfallKind;
use crate::unpack::PartialUnpack;

/// The DWARF of one file.
pub(crate) struct DwarfFile {
    elf: Arc<ElfFile>,
    base: SearchBase,
    options: Arc<Options>,
    /// What was allowed for its own sections.
    allowance: UnpackAllowance,
    /// Bytes of `.debug_info`, as it declares.
    info_size: usize,
    whole: OnceLock<LoadedDwarf>,
    /// What the first lookups see where unpacking all would make them wait.
    prefix: Mutex<Option<PartialInfo>>,
    /// Whether memory was short.
    limited: AtomicBool,
}

impl DwarfFile {
    /// Returns the file's DWARF, or `None` when it has none. Files that go with it are
    /// looked for near these places: its own, then the module's. What is too large is
    /// noted there.
    pub(crate) fn open(
        elf: &Arc<ElfFile>,
        base: SearchBase,
        options: &Arc<Options>,
    ) -> Option<Result<Self, Fault>> {
        if !DwarfSections::present(elf) {
            return None;
        }
        Some(Self::of_main(elf, base, options))
    }

    fn of_main(
        elf: &Arc<ElfFile>,
        base: SearchBase,
        options: &Arc<Options>,
    ) -> Result<Self, Fault> {
        if let Some(packer) = DwarfSections::not_built(elf, FileRole::Main) {
            base.note_shortfall(ShortfallKind::NotBuilt(packer));
        }
        let mut allowance = UnpackAllowance::default();
        let mut allow = |cost| {
            let taken = allowance.take(cost, &options.limits);
            taken.map_err(|refused| note(&base, refused.needed, Some(refused.allowed)))
        };
        let unpack = DwarfSections::growing_info(elf, &mut allow)?;
        let sections = match unpack {
            Some(_) => None,
            None => {
                let loaded = DwarfSections::load(Arc::clone(elf), FileRole::Main, &mut allow);
                if loaded.is_err() && base.oversized().list().is_empty() {
                    note(&base, allowance.unpacked(), None);
                }
                Some(loaded?)
            }
        };
        let mut file = Self {
            elf: Arc::clone(elf),
            base,
            options: Arc::clone(options),
            allowance,
            info_size: unpack.as_ref().map_or(0, PartialUnpack::size),
            whole: OnceLock::new(),
            prefix: Mutex::new(unpack.map(PartialInfo::new)),
            limited: AtomicBool::new(false),
        };
        if let Some(sections) = sections {
            let whole = LoadedDwarf::of(file.owner(sections));
            file.info_size =
                whole.with_dependent(|owner, _| owner.sections.slice(SectionId::DebugInfo).len());
            file.whole = OnceLock::from(whole);
        }
        Ok(file)
    }

    fn owner(&self, sections: DwarfSections) -> DwarfOwner {
        let companions = Companions::new(
            &self.elf,
            self.base.clone(),
            self.allowance,
            Arc::clone(&self.options),
        );
        DwarfOwner {
            sections,
            companions,
            options: Arc::clone(&self.options),
            texts: TextArena::default(),
            damage: Damage::default(),
        }
    }

    /// Unpacks all, the first time.
    fn whole(&self) -> &LoadedDwarf {
        self.whole.get_or_init(|| {
            let begun = self.prefix().take();
            let owner = begun.and_then(|begun| begun.finish(&self.elf));
            LoadedDwarf::of(owner.unwrap_or_else(|| {
                // All was weighed when the file was opened.
                let all = DwarfSections::load(Arc::clone(&self.elf), FileRole::Main, |_| Ok(()));
                if all.is_err() {
                    note(&self.base, self.allowance.unpacked(), None);
                    self.limited.store(true, Ordering::Relaxed);
                }
                self.owner(all.unwrap_or_else(|_| DwarfSections::none(Arc::clone(&self.elf))))
            }))
        })
    }

    /// Unpacks what is not unpacked; says why not.
    pub(crate) fn unpack(&self) -> Result<(), Fault> {
        self.whole();
        match self.limited.load(Ordering::Relaxed) {
            true => Err(Fault::Limit),
            false => Ok(()),
        }
    }

    fn prefix(&self) -> MutexGuard<'_, Option<PartialInfo>> {
        self.prefix.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is known of the code at this virtual offset.
    pub(crate) fn find(&self, addr: u64) -> DwarfAnswer {
        if self.whole.get().is_none() {
            let mut prefix = self.prefix();
            let prefix = prefix.as_mut();
            let found = prefix
                .and_then(|prefix| prefix.find(addr, &self.elf, |sections| self.owner(sections)));
            if let Some(found) = found {
                self.note_damage(found.damaged);
                return found;
            }
        }
        let mut found = self.whole().find(addr);
        self.note_damage(found.damaged);
        found.limited |= self.limited.load(Ordering::Relaxed);
        found
    }

    /// Notes that something of it cannot be read, if that is so.
    pub(crate) fn note_damage(&self, is_damaged: bool) {
        if is_damaged {
            self.base.note_shortfall(ShortfallKind::Damaged);
        }
    }

    /// Returns the bytes of `.debug_info`.
    pub(crate) fn info_size(&self) -> usize {
        self.info_size
    }

    /// Returns the bytes of its sections, as far as they are read: pages of memory while
    /// they are walked, even where the file is mapped.
    pub(crate) fn section_bytes(&self) -> u64 {
        let whole = self.whole.get();
        whole.map_or(0, |whole| whole.borrow_owner().sections.read_bytes())
    }

    /// Returns whether a file that goes with it was looked for and not found.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.is_true_of_owner(|owner| owner.companions.missing())
    }

    /// Returns whether others than root and us decide what a file that goes with it says.
    pub(crate) fn has_untrusted(&self) -> bool {
        self.is_true_of_owner(|owner| owner.companions.has_untrusted())
    }

    fn is_true_of_owner(&self, is_true: impl Fn(&DwarfOwner) -> bool) -> bool {
        match self.whole.get() {
            Some(whole) => is_true(whole.borrow_owner()),
            None => self
                .prefix()
                .as_ref()
                .and_then(PartialInfo::owner)
                .is_some_and(is_true),
        }
    }

    /// Returns the bytes of memory that it takes: what was unpacked, and its tables.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let of = |owner: &DwarfOwner| {
            let unpacked = owner.sections.unpacked_bytes();
            unpacked.saturating_add(owner.companions.taken_bytes())
        };
        match self.whole.get() {
            Some(whole) => {
                let tables = whole.with_dependent(|_, index| index.kept_bytes());
                of(whole.borrow_owner()).saturating_add(tables)
            }
            None => self
                .prefix()
                .as_ref()
                .and_then(PartialInfo::owner)
                .map_or(0, of),
        }
    }

    /// Lends the file's units to `work`.
    pub(crate) fn with_units<T>(&self, work: impl FnOnce(FileUnits<'_, '_>) -> T) -> T {
        self.whole()
            .with_dependent(|_, index| work(FileUnits(index)))
    }
}

/// Notes that the file near there needs more than it may have.
fn note(base: &SearchBase, needed: u64, allowed: Option<u64>) -> Fault {
    base.oversized().note(Oversized {
        path: base.path(),
        needed,
        allowed,
    });
    Fault::Limit
}

/// The units of one file, by their place in `.debug_info`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileUnits<'u, 'd>(&'u DwarfLookup<'d>);

impl<'d> FileUnits<'_, 'd> {
    /// Returns where each unit begins, and how many bytes it has.
    pub(crate) fn list(self) -> Vec<(usize, usize)> {
        let units = self.0.units().iter().map(|tables| &tables.unit);
        units.map(|unit| (unit.offset, unit.length())).collect()
    }

    /// Returns whether anything of them cannot be read, as far as they were.
    pub(crate) fn are_damaged(self) -> bool {
        self.0.is_damaged()
    }

    /// Flattens the unit at `offset`.
    pub(crate) fn flatten(
        self,
        offset: usize,
        code: &CodeOffsets,
        scratch: &mut FlattenScratch<'d>,
    ) -> UnitPart<'d> {
        let tables = self.0.units().at(offset);
        let tables = tables.filter(|tables| tables.unit.may_hold_code());
        tables.map_or_else(UnitPart::default, |tables| {
            flatten(tables, self.0, code, scratch)
        })
    }

    /// Gives the pages of the file back: what was flattened is not read again.
    pub(crate) fn release(self) {
        self.0.elf.release();
    }

    /// Returns which units a lookup would ask where.
    pub(crate) fn claims(self, before: UnitRanges, code: &CodeOffsets) -> UnitRanges {
        self.0.claims(before, code)
    }
}

impl std::fmt::Debug for DwarfFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DwarfFile").finish_non_exhaustive()
    }
}
