//! The units of one file, by their place in `.debug_info`.
//!
//! A file has thousands, and listing them reads each header, with a page fault every few.
//! So the first units that are asked for by offset, as `.debug_aranges` gives it, are parsed
//! without listing the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use gimli::{DebugInfoOffset, UnitOffset};

use super::tables::UnitTables;
use super::unit::Unit;
use super::unit_file::UnitFile;

/// Units that are parsed one by one. Beyond this number, listing all of them is cheaper.
const UNITS_BEFORE_LISTING: usize = 16;

/// All units, each parsed when first asked for.
#[derive(Debug)]
pub(in crate::dwarf) struct UnitList<'d> {
    pub(in crate::dwarf) unit_file: Arc<UnitFile<'d>>,
    early: [OnceLock<Box<UnitTables<'d>>>; UNITS_BEFORE_LISTING],
    listed: OnceLock<ListedUnits<'d>>,
    /// Whether a header could not be read, or all were listed.
    beyond: AtomicBool,
}

#[derive(Debug)]
struct ListedUnits<'d> {
    /// In the order of `.debug_info`.
    units: Vec<UnitTables<'d>>,
    /// Whether there are more than the limit allows.
    cut: bool,
}

impl<'d> UnitList<'d> {
    pub(in crate::dwarf) fn new(unit_file: Arc<UnitFile<'d>>) -> Self {
        Self {
            unit_file,
            early: [const { OnceLock::new() }; UNITS_BEFORE_LISTING],
            listed: OnceLock::new(),
            beyond: AtomicBool::new(false),
        }
    }

    /// Returns the unit whose header begins at `offset`.
    pub(in crate::dwarf) fn at(&self, offset: usize) -> Option<&UnitTables<'d>> {
        let early = self.early.iter().find_map(|slot| {
            // Not `get_or_try_init`, which is not stable. When another thread is
            // quicker its unit may be this one.
            if slot.get().is_none() && self.listed.get().is_none() {
                let info = &self.unit_file.dwarf.debug_info;
                let offset = DebugInfoOffset(offset);
                let header = info.header_from_offset(offset);
                if header.is_err() {
                    self.beyond.store(true, Ordering::Relaxed);
                }
                let header = header.ok()?;
                let unit = Unit::new(header, offset, Arc::clone(&self.unit_file));
                slot.get_or_init(|| Box::new(UnitTables::new(unit)));
            }
            slot.get().filter(|tables| tables.unit.offset == offset)
        });
        if let Some(unit) = early {
            return Some(unit);
        }
        let units = &self.list().units;
        let at = units.binary_search_by_key(&offset, |tables| tables.unit.offset);
        units.get(at.ok()?)
    }

    /// Returns the unit that holds the DIE at this offset of `.debug_info`, and
    /// the offset in it.
    pub(in crate::dwarf) fn around(
        &self,
        offset: DebugInfoOffset,
    ) -> Option<(&Unit<'d>, UnitOffset)> {
        let inside = |unit: &Unit<'d>| {
            let inside = offset.0.checked_sub(unit.offset)?;
            (inside < unit.length()).then_some(UnitOffset(inside))
        };
        let early = self.early.iter().map_while(|slot| slot.get());
        let early = early.map(|tables| &tables.unit);
        let mut early = early.filter_map(|unit| Some((unit, inside(unit)?)));
        early.next().or_else(|| {
            let units = &self.list().units;
            let after = units.partition_point(|tables| tables.unit.offset <= offset.0);
            let unit = &units.get(after.checked_sub(1)?)?.unit;
            Some((unit, inside(unit)?))
        })
    }

    /// Returns all, in the order of `.debug_info`. A malformed header hides those
    /// behind it.
    pub(in crate::dwarf) fn iter(&self) -> impl ExactSizeIterator<Item = &UnitTables<'d>> {
        self.list().units.iter()
    }

    /// Returns whether there are more than the limit allows.
    pub(in crate::dwarf) fn cut(&self) -> bool {
        self.listed.get().is_some_and(|list| list.cut)
    }

    /// Returns whether anything was asked for that more bytes of `.debug_info` might
    /// answer differently.
    pub(in crate::dwarf) fn needs_more_units(&self) -> bool {
        self.beyond.load(Ordering::Relaxed)
    }

    fn list(&self) -> &ListedUnits<'d> {
        self.listed.get_or_init(|| {
            self.beyond.store(true, Ordering::Relaxed);
            let mut units = Vec::new();
            let mut headers = self.unit_file.dwarf.debug_info.units();
            loop {
                let header = match headers.next() {
                    Ok(Some(header)) => header,
                    Ok(None) => break,
                    // It hides all behind it.
                    Err(_) => {
                        self.unit_file.damage.note();
                        break;
                    }
                };
                let Some(offset) = header.debug_info_offset() else {
                    continue;
                };
                if units.len() >= self.unit_file.limits.units {
                    return ListedUnits { units, cut: true };
                }
                let unit = Unit::new(header, offset, Arc::clone(&self.unit_file));
                units.push(UnitTables::new(unit));
            }
            ListedUnits { units, cut: false }
        })
    }
}
