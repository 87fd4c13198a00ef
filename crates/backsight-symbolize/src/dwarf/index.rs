//! What is known of an address: which unit holds it, and what the unit says.
//!
//! `.debug_aranges` leads straight to a unit. Should that miss, the root DIEs of
//! the units it leaves out are read, once; and should that miss too (some
//! compilers list a part only), those of all units.
//!
//! The first few lookups build no tables: they pass over what a table would be
//! made of, and keep what covers the one address. The rules are the tables' own,
//! so the answers are equal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use gimli::{DebugInfoOffset, DwarfPackage, Section, SectionId, UnitOffset};

use super::aranges::{self, Aranges};
use super::companions::Companions;
use super::form::{Class, Value};
use super::held::Held;
use super::home::{Home, HomeKind};
use super::name::{self, Names};
use super::sections::Sections;
use super::unit::Unit;
use super::units::Units;
use super::{Fault, Found, Level, Slice};
use crate::Options;
use crate::claims::Claims;
use crate::code_map::CodeMap;
use crate::cover::{Cover, Item};
use crate::elf::ElfFile;
use crate::index::NONE;
use crate::tally::Tally;

/// Lookups in one file for which no table is built.
pub(super) const FEW: usize = 4;

/// What is known of a file's DWARF so far; grows under shared references.
#[derive(Debug)]
pub(super) struct Index<'d> {
    /// The main file.
    pub(super) home: Arc<Home<'d>>,
    pub(super) companions: &'d Companions,
    pub(super) names: Names<'d>,
    pub(super) options: &'d Options,
    pub(super) elf: &'d ElfFile,
    pub(super) units: Units<'d>,
    aranges: Slice<'d>,
    /// The units of the supplementary file.
    supplementary: Option<Units<'d>>,
    package: OnceLock<Option<DwarfPackage<Slice<'d>>>>,
    lookups: AtomicUsize,
    /// What the tables of units and their names take.
    pub(super) kept: Tally,
    listed: OnceLock<Aranges>,
    unlisted: OnceLock<Roots>,
    all: OnceLock<Roots>,
}

/// Units by the addresses that their root DIEs claim.
#[derive(Debug, Default)]
struct Roots {
    offsets: Vec<usize>,
    cover: Cover,
    limited: bool,
}

impl<'d> Index<'d> {
    /// Reads nothing yet.
    pub(super) fn new(
        sections: &'d Sections,
        companions: &'d Companions,
        options: &'d Options,
    ) -> Self {
        let limits = &options.limits;
        let mut dwarf = sections.dwarf();
        let supplementary = companions.supplementary().map(|sections| {
            dwarf.sup = Some(Arc::new(sections.dwarf()));
            let home = Home::new(sections.dwarf(), HomeKind::Supplementary, limits);
            Units::new(Arc::new(home))
        });
        let home = Arc::new(Home::new(dwarf, HomeKind::Main, limits));
        Self {
            units: Units::new(Arc::clone(&home)),
            home,
            companions,
            names: Names::default(),
            options,
            elf: &sections.elf,
            aranges: sections.slice(SectionId::DebugAranges),
            supplementary,
            package: OnceLock::new(),
            lookups: AtomicUsize::new(0),
            kept: Tally::default(),
            listed: OnceLock::new(),
            unlisted: OnceLock::new(),
            all: OnceLock::new(),
        }
    }

    /// Returns what is known of `addr`.
    pub(super) fn find(&self, addr: u64) -> Found {
        let mut found = Found::default();
        if !self.elf.is_code(addr) {
            return found;
        }
        let few = self.lookups.load(Ordering::Relaxed) < FEW;
        if few {
            self.lookups.fetch_add(1, Ordering::Relaxed);
        }
        let listed = match self.listed.get() {
            None if few => Held::Own(self.read_aranges(Some(addr))),
            _ => Held::Kept(self.listed.get_or_init(|| self.read_aranges(None))),
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
        found.limited |= self.units.cut() || self.companions.limited();
        found
    }

    fn search(
        &self,
        candidates: impl Iterator<Item = usize>,
        addr: u64,
        few: bool,
        found: &mut Found,
    ) {
        for unit in candidates.filter_map(|offset| self.units.at(offset)) {
            let levels = self.levels(unit, addr, few, &mut found.limited);
            if !levels.is_empty() {
                found.levels = levels;
                return;
            }
            if found.location.is_none() {
                match unit.lines_at(addr, few, self) {
                    Ok(lines) => found.location = lines.find(addr, unit),
                    Err(fault) => found.limited |= fault == Fault::Limit,
                }
            }
        }
    }

    fn read_aranges(&self, only: Option<u64>) -> Aranges {
        let keep = self.options.limits.units_per_address;
        Aranges::read(self.aranges, only, keep, self.elf)
    }

    /// Returns which units [`find`](Self::find) would ask where, as places in the
    /// order of `.debug_info`.
    pub(super) fn claims(&self, code: &CodeMap) -> Claims {
        let mut claims = Claims::default();
        let places: Vec<usize> = self.units.offsets().collect();
        let place = |offset: &usize| {
            let at = places.binary_search(offset).ok();
            at.and_then(|at| u32::try_from(at).ok()).unwrap_or(NONE)
        };
        let listed = self.listed.get_or_init(|| self.read_aranges(None));
        let units: Vec<u32> = listed.offsets.iter().map(place).collect();
        claims.fill(&listed.cover, &units, code);
        let passes = [(&self.unlisted, true), (&self.all, false)];
        for (roots, unlisted_only) in passes {
            if unlisted_only || !self.aranges.is_empty() {
                let roots = roots.get_or_init(|| self.read_roots(unlisted_only));
                let units: Vec<u32> = roots.offsets.iter().map(place).collect();
                claims.fill(&roots.cover, &units, code);
                claims.limited |= roots.limited;
            }
        }
        claims.limited |= self.units.cut() || self.companions.limited();
        claims
    }

    /// Returns the function in this unit and what is inlined in it, innermost
    /// first; nothing when the unit has no function there.
    fn levels(&self, unit: &Unit<'d>, addr: u64, few: bool, limited: &mut bool) -> Vec<Level> {
        let mut note = |fault: Fault| *limited |= fault == Fault::Limit;
        let full = unit.full(self);
        let functions = match full.functions_at(addr, few, self) {
            Ok(functions) => functions,
            Err(fault) => {
                note(fault);
                return Vec::new();
            }
        };
        if functions.limited {
            note(Fault::Limit);
        }
        let Some(function) = functions.find(addr) else {
            return Vec::new();
        };
        let body = function.body(full, &functions, &self.kept);
        if body.limited {
            note(Fault::Limit);
        }
        let lines = unit.lines_at(addr, few, self).map_err(&mut note).ok();
        let lines = lines.as_deref();
        let row = lines.and_then(|lines| lines.find(addr, unit));
        let resolve = |die| functions.with_fuel(|fuel| name::of(die, full, self, fuel));
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
                levels.push(Level {
                    name: inline.name(resolve),
                    location,
                    inlined: true,
                    start: None,
                });
            }
        }
        levels.push(Level {
            name: body.name(|| resolve(function.die)),
            location,
            inlined: false,
            start: Some(function.start),
        });
        levels
    }

    /// Returns the unit and the DIE in it that an attribute of a DIE of `unit` refers
    /// to, in whichever file that is.
    pub(super) fn target<'r>(
        &'r self,
        unit: &'r Unit<'d>,
        link: Value,
    ) -> Option<(&'r Unit<'d>, UnitOffset)> {
        let at = usize::try_from(link.number).ok()?;
        match (link.class, unit.home.kind) {
            (Class::UnitRef, _) => Some((unit, UnitOffset(at))),
            (Class::InfoRef, HomeKind::Main) => self.units.around(DebugInfoOffset(at)),
            (Class::InfoRef, HomeKind::Supplementary) | (Class::SupRef, _) => {
                self.supplementary.as_ref()?.around(DebugInfoOffset(at))
            }
            // Compilers keep split units from referring to each other.
            (Class::InfoRef, HomeKind::Split(_)) => {
                let inside = at.checked_sub(unit.offset)?;
                (inside < unit.length()).then_some((unit, UnitOffset(inside)))
            }
            _ => None,
        }
    }

    /// Returns the package of split units.
    pub(super) fn package(&self) -> Option<&DwarfPackage<Slice<'d>>> {
        let open = || {
            let sections = self.companions.package()?;
            let empty = Slice::new(&[], gimli::Reader::endian(&self.aranges));
            DwarfPackage::load(|id| Ok::<_, gimli::Error>(sections.slice(id)), empty).ok()
        };
        self.package.get_or_init(open).as_ref()
    }

    /// Reads the root DIEs of all units, or of those that the address ranges
    /// leave out.
    fn read_roots(&self, unlisted_only: bool) -> Roots {
        let mut listed = Vec::new();
        let _ = aranges::for_each(self.aranges, &mut |offset, _, _| {
            if listed.last() != Some(&offset) {
                listed.push(offset);
            }
        });
        listed.sort_unstable();
        let limits = &self.options.limits;
        let bytes = self.home.dwarf.debug_info.reader().len();
        let ranges = self.home.dwarf.ranges.debug_ranges().reader().len();
        let lists = self.home.dwarf.ranges.debug_rnglists().reader().len();
        let mut fuel = self
            .home
            .fuel_for(bytes.saturating_add(ranges).saturating_add(lists));
        let mut rows_left = limits.rows_per_unit;
        let mut items = Vec::new();
        let mut roots = Roots::default();
        for offset in self.units.offsets() {
            let listed = listed.binary_search(&offset).is_ok();
            if listed && unlisted_only {
                continue;
            }
            let Some(unit) = self.units.at(offset).filter(|unit| unit.may_hold_code()) else {
                continue;
            };
            let at = roots.offsets.len();
            let before = items.len();
            let ranges = unit.root(&mut fuel).and_then(|root| {
                root.ranges
                    .for_each(root.unit_ref(), &mut fuel, |begin, end| {
                        if items.len() < limits.rows_per_unit && self.elf.is_code(begin) {
                            items.push(item(begin, end, at));
                        }
                    })
            });
            roots.offsets.push(offset);
            roots.limited |= ranges == Err(Fault::Limit) || items.len() >= limits.rows_per_unit;
            if items.len() == before && !listed {
                // It does not say: its lines may. Old compilers are like that.
                if let Ok(lines) = unit.lines(self) {
                    let Some(left) = rows_left.checked_sub(lines.row_count()) else {
                        roots.limited = true;
                        break;
                    };
                    rows_left = left;
                    items.extend(lines.ranges().map(|(begin, end)| item(begin, end, at)));
                }
            }
        }
        roots.cover = Cover::new(items, limits.units_per_address);
        roots
    }
}

impl Roots {
    /// Returns where the units begin that cover `addr`, the preferred first.
    fn find(&self, addr: u64) -> impl Iterator<Item = usize> {
        let places = self.cover.find(addr).iter();
        places.filter_map(|at| self.offsets.get(usize::try_from(*at).ok()?).copied())
    }
}

fn item(begin: u64, end: u64, unit: usize) -> Item {
    Item {
        begin,
        end,
        rank: 0,
        value: u32::try_from(unit).unwrap_or(u32::MAX),
    }
}
