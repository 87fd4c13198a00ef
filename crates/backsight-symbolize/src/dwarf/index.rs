//! All units of one file, and which of them hold an address.
//!
//! `.debug_aranges` leads straight to a unit; only the units it leaves out have
//! their root DIE read. Should that miss (some compilers list a part only), the
//! root DIEs of all units are read, once.

use std::sync::OnceLock;

use gimli::{DebugInfoOffset, Section, SectionId, UnitOffset, UnitType};

use super::abbrev::AbbrevTables;
use super::name::Names;
use super::sections::Sections;
use super::unit::Unit;
use super::{Fault, Found, Fuel, Level, Slice, aranges};
use crate::Options;
use crate::cover::{Cover, Item};
use crate::elf::ElfFile;

/// What is known of a file's DWARF so far; grows under shared references.
#[derive(Debug)]
pub(super) struct Index<'d> {
    pub(super) dwarf: gimli::Dwarf<Slice<'d>>,
    pub(super) abbrevs: AbbrevTables<'d>,
    pub(super) names: Names<'d>,
    pub(super) options: &'d Options,
    pub(super) elf: &'d ElfFile,
    aranges: Slice<'d>,
    /// In the order of `.debug_info`.
    units: Vec<Unit<'d>>,
    /// Whether there are more units than the limit allows.
    cut: bool,
    listed: OnceLock<Units>,
    all: OnceLock<Units>,
}

/// Units by address.
#[derive(Debug, Default)]
struct Units {
    cover: Cover,
    limited: bool,
}

impl<'d> Index<'d> {
    /// Reads the unit headers. A malformed one hides those behind it.
    pub(super) fn new(sections: &'d Sections, options: &'d Options) -> Self {
        let dwarf = sections.dwarf();
        let mut units = Vec::new();
        let mut cut = false;
        let mut headers = dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let Some(offset) = header.debug_info_offset() else {
                continue;
            };
            if units.len() >= options.limits.units {
                cut = true;
                break;
            }
            units.push(Unit::new(header, offset));
        }
        let abbrevs = *dwarf.debug_abbrev.reader();
        let fuel = Fuel::for_bytes(abbrevs.len(), options.limits.steps_per_byte);
        Self {
            abbrevs: AbbrevTables::new(abbrevs, fuel),
            names: Names::default(),
            options,
            elf: &sections.elf,
            aranges: sections.slice(SectionId::DebugAranges),
            dwarf,
            units,
            cut,
            listed: OnceLock::new(),
            all: OnceLock::new(),
        }
    }

    /// Returns what is known of `addr`.
    pub(super) fn find(&self, addr: u64) -> Found {
        let mut found = Found {
            limited: self.cut,
            ..Found::default()
        };
        if !self.elf.is_code(addr) {
            return found;
        }
        let listed = self.listed.get_or_init(|| self.collect(true));
        self.search(listed, addr, &mut found);
        let silent = found.levels.is_empty() && found.location.is_none();
        if silent && !self.aranges.is_empty() {
            let all = self.all.get_or_init(|| self.collect(false));
            self.search(all, addr, &mut found);
        }
        found
    }

    fn search(&self, units: &Units, addr: u64, found: &mut Found) {
        found.limited |= units.limited;
        let candidates = units.cover.find(addr).iter();
        for unit in candidates.filter_map(|at| self.units.get(usize::try_from(*at).ok()?)) {
            let levels = self.levels(unit, addr, &mut found.limited);
            if !levels.is_empty() {
                found.levels = levels;
                return;
            }
            if found.location.is_none() {
                match unit.lines(self) {
                    Ok(lines) => found.location = lines.find(addr, unit, self),
                    Err(fault) => found.limited |= fault == Fault::Limit,
                }
            }
        }
    }

    /// Returns the function in this unit and what is inlined in it, innermost
    /// first; nothing when the unit has no function there.
    fn levels(&self, unit: &Unit<'d>, addr: u64, limited: &mut bool) -> Vec<Level> {
        let mut note = |fault: Fault| *limited |= fault == Fault::Limit;
        let functions = match unit.functions(self) {
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
        let body = function.body(unit, functions, self);
        if body.limited {
            note(Fault::Limit);
        }
        let lines = unit.lines(self).map_err(&mut note).ok();
        let row = lines.and_then(|lines| lines.find(addr, unit, self));
        // Each level stands where the next inner one was called; the innermost
        // where the line table says.
        let mut location = row.unwrap_or_default();
        let mut levels = Vec::new();
        for inline in body.inlines_at(addr) {
            if inline.cut {
                note(Fault::Limit);
            }
            let call = inline.call(lines, unit, self);
            let location = std::mem::replace(&mut location, call);
            if self.options.inlines {
                levels.push(Level {
                    name: inline.name(unit, functions, self),
                    location,
                    inlined: true,
                    start: None,
                });
            }
        }
        levels.push(Level {
            name: body.name(function, unit, functions, self),
            location,
            inlined: false,
            start: Some(function.start),
        });
        levels
    }

    /// Returns the unit that holds the DIE at this offset of `.debug_info`, and
    /// the offset in it.
    pub(super) fn unit_of(&self, offset: DebugInfoOffset) -> Option<(&Unit<'d>, UnitOffset)> {
        let after = self.units.partition_point(|unit| unit.offset <= offset.0);
        let unit = self.units.get(after.checked_sub(1)?)?;
        Some((unit, UnitOffset(offset.0.checked_sub(unit.offset)?)))
    }

    /// In the order of `.debug_info`.
    #[cfg(test)]
    pub(super) fn units(&self) -> &[Unit<'d>] {
        &self.units
    }

    /// Returns fuel for a walk over so many bytes of DIEs.
    pub(super) fn fuel_for(&self, bytes: usize) -> Fuel {
        Fuel::for_bytes(bytes, self.options.limits.steps_per_byte)
    }

    fn collect(&self, listed_only: bool) -> Units {
        let mut items = Vec::new();
        let mut has_ranges = vec![false; self.units.len()];
        // A set that is malformed ends the list; the units it leaves out are
        // asked themselves.
        let _ = aranges::for_each(self.aranges, &mut |offset, begin, end| {
            let found = self.units.binary_search_by_key(&offset, |unit| unit.offset);
            if let Some(has) = found.ok().and_then(|at| has_ranges.get_mut(at)) {
                if self.elf.is_code(begin) {
                    items.push(item(begin, end, found.unwrap_or_default()));
                }
                *has = true;
            }
        });
        let limits = &self.options.limits;
        let bytes = self.dwarf.debug_info.reader().len();
        let ranges = self.dwarf.ranges.debug_ranges().reader().len();
        let lists = self.dwarf.ranges.debug_rnglists().reader().len();
        let mut fuel = self.fuel_for(bytes.saturating_add(ranges).saturating_add(lists));
        let mut rows_left = limits.rows_per_unit;
        let mut limited = false;
        for (at, (unit, listed)) in self.units.iter().zip(has_ranges).enumerate() {
            let code = matches!(
                unit.header.type_(),
                UnitType::Compilation | UnitType::Skeleton(_)
            );
            if !code || (listed && listed_only) {
                continue;
            }
            let before = items.len();
            let ranges = unit.root(self, &mut fuel).and_then(|root| {
                let unit = root.unit_ref(self);
                root.ranges.for_each(unit, &mut fuel, |begin, end| {
                    if items.len() < limits.rows_per_unit && self.elf.is_code(begin) {
                        items.push(item(begin, end, at));
                    }
                })
            });
            limited |= ranges == Err(Fault::Limit) || items.len() >= limits.rows_per_unit;
            if items.len() == before && !listed {
                // It does not say: its lines may. Old compilers are like that.
                if let Ok(lines) = unit.lines(self) {
                    let Some(left) = rows_left.checked_sub(lines.row_count()) else {
                        limited = true;
                        break;
                    };
                    rows_left = left;
                    items.extend(lines.ranges().map(|(begin, end)| item(begin, end, at)));
                }
            }
        }
        Units {
            cover: Cover::new(items, limits.units_per_address),
            limited,
        }
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
