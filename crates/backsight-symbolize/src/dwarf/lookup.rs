//! What is known of an address: which unit holds it, and what the unit says.
//!
//! `.debug_aranges` leads straight to a unit. Should that miss, the root DIEs of
//! the units it leaves out are read, once; and should that miss too (some
//! compilers list a part only), those of all units.
//!
//! The first few lookups in a file, each in a unit of its own, build no tables: they
//! pass over what a table would be made of, and keep what covers the one address. The
//! rules are the tables' own, so the answers are equal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use backsight_index::engine::{ByteCount, CodeOffsets, NONE, UnitRanges};
use gimli::SectionId;

use super::answer::{DwarfAnswer, DwarfLevel};
use super::damage::Damage;
use super::fault::Fault;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::files::companions::Companions;
use crate::dwarf::files::sections::DwarfSections;
use crate::dwarf::files::split::SplitUnits;
use crate::dwarf::functions::name::NameCache;
use crate::dwarf::functions::scope::{ScopedNames, TextArena};
use crate::dwarf::ranges::aranges;
use crate::dwarf::ranges::roots;
use crate::dwarf::ranges::unit_map::UnitMap;
use crate::dwarf::units::die_links::DieLinks;
use crate::dwarf::units::maybe_owned::MaybeOwned;
use crate::dwarf::units::tables::{ReadContext, UnitTables};
use crate::dwarf::units::unit_file::{UnitFile, UnitFileKind};
use crate::dwarf::units::unit_list::UnitList;
use crate::elf::ElfFile;
use crate::options::Options;

/// Lookups in one file that read only the unit they need, and that only once. Later
/// ones build tables.
pub(in crate::dwarf) const TARGETED_LOOKUPS: usize = 4;

/// What is known of a file's DWARF so far; grows under shared references.
#[derive(Debug)]
pub(in crate::dwarf) struct DwarfLookup<'d> {
    /// The main file.
    pub(in crate::dwarf) elf: &'d ElfFile,
    pub(in crate::dwarf) links: DieLinks<'d>,
    pub(in crate::dwarf) splits: SplitUnits<'d>,
    companions: &'d Companions,
    options: &'d Options,
    names: NameCache<'d>,
    aranges: Slice<'d>,
    lookups: AtomicUsize,
    /// What the tables of units take.
    kept: ByteCount,
    damage: &'d Damage,
    listed: OnceLock<UnitMap>,
    unlisted: OnceLock<UnitMap>,
    all: OnceLock<UnitMap>,
}

impl<'d> DwarfLookup<'d> {
    /// Reads nothing yet.
    pub(in crate::dwarf) fn new(
        sections: &'d DwarfSections,
        companions: &'d Companions,
        options: &'d Options,
        texts: &'d TextArena,
        damage: &'d Damage,
    ) -> Self {
        if sections.are_damaged() {
            damage.note();
        }
        let limits = &options.limits;
        let mut dwarf = sections.dwarf();
        let supplementary = companions.supplementary().map(|sections| {
            dwarf.sup = Some(Arc::new(sections.dwarf()));
            let (dwarf, damage) = (sections.dwarf(), &sections.damage);
            let unit_file = UnitFile::new(dwarf, UnitFileKind::Supplementary, limits, damage);
            UnitList::new(Arc::new(unit_file))
        });
        let unit_file = UnitFile::new(dwarf, UnitFileKind::Main, limits, damage);
        Self {
            elf: &sections.elf,
            links: DieLinks {
                units: UnitList::new(Arc::new(unit_file)),
                supplementary,
                scoped: ScopedNames::new(texts),
            },
            splits: SplitUnits::new(companions),
            companions,
            options,
            names: NameCache::new(options.spelling()),
            aranges: sections.slice(SectionId::DebugAranges),
            lookups: AtomicUsize::new(0),
            kept: ByteCount::default(),
            damage,
            listed: OnceLock::new(),
            unlisted: OnceLock::new(),
            all: OnceLock::new(),
        }
    }

    /// Returns what is known of `addr`.
    pub(in crate::dwarf) fn find(&self, addr: u64) -> DwarfAnswer {
        let mut found = DwarfAnswer::default();
        if !self.elf.is_code(addr) {
            return found;
        }
        let few = self.lookups.load(Ordering::Relaxed) < TARGETED_LOOKUPS;
        if few {
            self.lookups.fetch_add(1, Ordering::Relaxed);
        }
        let listed = match self.listed.get() {
            None if few => MaybeOwned::Own(self.read_aranges(Some(addr))),
            _ => MaybeOwned::Kept(self.listed.get_or_init(|| self.read_aranges(None))),
        };
        self.search(listed.find(addr), addr, few, &mut found);
        let passes = [(&self.unlisted, true), (&self.all, false)];
        for (roots, unlisted_only) in passes {
            let silent = found.levels.is_empty() && found.location.is_none();
            if silent && (unlisted_only || !self.aranges.is_empty()) {
                let roots = roots.get_or_init(|| self.read_roots(unlisted_only));
                found.limited |= roots.limited;
                self.search(roots.find(addr), addr, few, &mut found);
            }
        }
        found.limited |= self.units().cut() || self.companions.limited();
        found.damaged |= self.is_damaged();
        found
    }

    fn search(
        &self,
        candidates: impl Iterator<Item = usize>,
        addr: u64,
        few: bool,
        found: &mut DwarfAnswer,
    ) {
        for tables in candidates.filter_map(|offset| self.units().at(offset)) {
            let few = few && !tables.ask();
            let levels = self.levels(tables, addr, few, found);
            if !levels.is_empty() {
                found.levels = levels;
                found.mangles = tables.full(&self.splits).unit.mangles();
                return;
            }
            if found.location.is_none() {
                match tables.lines_at(addr, few, self.reading()) {
                    Ok(lines) => found.location = lines.find(addr, &tables.unit),
                    Err(fault) => found.note(fault),
                }
            }
        }
    }

    fn read_aranges(&self, only: Option<u64>) -> UnitMap {
        let keep = self.options.limits.units_per_address;
        let map = aranges::read(self.aranges, only, keep, self.elf);
        if map.damaged {
            self.damage.note();
        }
        map
    }

    /// Reads the root DIEs of all units, or of those that the address ranges
    /// leave out.
    fn read_roots(&self, unlisted_only: bool) -> UnitMap {
        let listed = aranges::units(self.aranges);
        roots::read(self.units(), &listed, unlisted_only, self.reading())
    }

    pub(in crate::dwarf) fn units(&self) -> &UnitList<'d> {
        &self.links.units
    }

    /// Returns whether anything turned out to be unreadable so far.
    pub(in crate::dwarf) fn is_damaged(&self) -> bool {
        self.damage.is_noted()
    }

    /// Returns the bytes that the tables of units and their names take.
    pub(in crate::dwarf) fn kept_bytes(&self) -> u64 {
        let names = self.names.kept.get();
        let scoped = self.links.scoped.kept.get();
        let tables = self.kept.get();
        tables.saturating_add(names).saturating_add(scoped)
    }

    fn reading(&self) -> ReadContext<'_> {
        ReadContext {
            elf: self.elf,
            kept: &self.kept,
        }
    }

    /// Returns which units [`find`](Self::find) would ask where, as places in the
    /// order of `.debug_info`.
    pub(in crate::dwarf) fn claims(
        &self,
        mut claims: UnitRanges,
        code: &CodeOffsets,
    ) -> UnitRanges {
        let units = self.units().iter();
        let places: Vec<usize> = units.map(|tables| tables.unit.offset).collect();
        let place = |offset: &usize| {
            let at = places.binary_search(offset).ok();
            at.and_then(|at| u32::try_from(at).ok()).unwrap_or(NONE)
        };
        let listed = self.listed.get_or_init(|| self.read_aranges(None));
        let units: Vec<u32> = listed.offsets.iter().map(place).collect();
        claims.fill(&listed.overlaps, &units, code);
        let passes = [(&self.unlisted, true), (&self.all, false)];
        for (roots, unlisted_only) in passes {
            if unlisted_only || !self.aranges.is_empty() {
                let roots = roots.get_or_init(|| self.read_roots(unlisted_only));
                let units: Vec<u32> = roots.offsets.iter().map(place).collect();
                claims.fill(&roots.overlaps, &units, code);
                claims.limited |= roots.limited;
            }
        }
        claims.limited |= self.units().cut() || self.companions.limited();
        claims
    }

    /// Returns the function in this unit and what is inlined in it, innermost
    /// first; nothing when the unit has no function there.
    fn levels(
        &self,
        tables: &UnitTables<'d>,
        addr: u64,
        few: bool,
        found: &mut DwarfAnswer,
    ) -> Vec<DwarfLevel> {
        let mut note = |fault: Fault| found.note(fault);
        let unit = &tables.unit;
        let full = tables.full(&self.splits);
        // The functions may be another file's.
        let damage = full.unit.unit_file.damage;
        let functions = match full.functions_at(addr, few, self.reading()) {
            Ok(functions) => functions,
            Err(fault) => {
                if let Some(fault) = damage.take(fault) {
                    note(fault);
                }
                return Vec::new();
            }
        };
        if functions.limited {
            note(Fault::Limit);
        }
        if functions.damaged {
            damage.note();
        }
        let Some(function) = functions.find(addr) else {
            return Vec::new();
        };
        let full = &full.unit;
        let body = function.body(full, &functions, &self.kept);
        if body.limited {
            note(Fault::Limit);
        }
        if body.damaged {
            damage.note();
        }
        let lines = tables.lines_at(addr, few, self.reading());
        let lines = lines.map_err(&mut note).ok();
        let lines = lines.as_deref();
        let row = lines.and_then(|lines| lines.find(addr, unit));
        let resolve = |die| functions.with_fuel(|fuel| self.names.of(die, full, &self.links, fuel));
        // Each level stands where the next inner one was called; the innermost
        // where the line table says.
        let mut location = row.unwrap_or_default();
        let mut levels = Vec::new();
        for inline in body.inlines_at(addr) {
            if inline.cut {
                note(Fault::Limit);
            }
            let call = inline.call(lines, unit);
            let location = std::mem::replace(&mut location, call);
            if self.options.inlines {
                levels.push(DwarfLevel {
                    name: inline.name(resolve),
                    location,
                    inlined: true,
                    start: None,
                });
            }
        }
        levels.push(DwarfLevel {
            name: body.name(|| resolve(function.die)),
            location,
            inlined: false,
            start: Some(function.start),
        });
        levels
    }
}
