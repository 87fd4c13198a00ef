//! The file that a unit is of.
//!
//! The DWARF of one module may be in several files, and an offset means something in
//! one of them alone:
//!
//! ```text
//!   main file ──DW_FORM_GNU_ref_alt──▶ supplementary file (dwz)
//!      │ skeleton unit, lines, addresses
//!      └──dwo_id──▶ .dwo, or a part of a .dwp: functions and names
//! ```
//!
//! So each unit knows its home: whose strings its offsets mean, whose abbreviations
//! its codes. Homes do not nest: a supplementary file has none of its own, and units
//! of a `.dwo` are no skeletons.

use std::sync::Arc;

use gimli::{
    Abbreviations, DebugAddrBase, DebugRngListsBase, Reader, RunTimeEndian, Section, UnitHeader,
    UnitOffset,
};

use super::abbrev::AbbrevTables;
use super::cursor::Cursor;
use super::damage::Damage;
use super::fault::Fault;
use super::fuel::Fuel;
use super::slice::Slice;
use crate::limits::Limits;

/// Where the units of one file, or one unit of a package, have their bytes.
#[derive(Debug)]
pub(super) struct Home<'d> {
    pub(super) dwarf: gimli::Dwarf<Slice<'d>>,
    pub(super) abbrevs: AbbrevTables<'d>,
    pub(super) kind: HomeKind,
    pub(super) limits: &'d Limits,
    /// Of all files that go together.
    pub(super) damage: &'d Damage,
    /// For units of gimli's that need none.
    pub(super) no_abbreviations: Arc<Abbreviations>,
}

/// Which of the files it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum HomeKind {
    Main,
    Supplementary,
    Split(Inherited),
}

/// What a split unit takes from its skeleton, whose file was linked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited {
    pub(super) low_pc: u64,
    pub(super) addr_base: DebugAddrBase<usize>,
    /// Up to DWARF 4: `DW_AT_GNU_ranges_base`.
    pub(super) ranges_base: DebugRngListsBase<usize>,
}

impl Inherited {
    /// Enough for a look at the id.
    pub(super) const NOTHING: Self = Self {
        low_pc: 0,
        addr_base: DebugAddrBase(0),
        ranges_base: DebugRngListsBase(0),
    };
}

impl<'d> Home<'d> {
    pub(super) fn new(
        dwarf: gimli::Dwarf<Slice<'d>>,
        kind: HomeKind,
        limits: &'d Limits,
        damage: &'d Damage,
    ) -> Self {
        let abbrevs = *dwarf.debug_abbrev.reader();
        let fuel = Fuel::for_bytes(abbrevs.len(), limits.steps_per_byte);
        Self {
            abbrevs: AbbrevTables::new(abbrevs, fuel),
            dwarf,
            kind,
            limits,
            damage,
            no_abbreviations: Arc::default(),
        }
    }

    pub(super) fn endian(&self) -> RunTimeEndian {
        self.dwarf.debug_info.reader().endian()
    }

    /// Starts at a DIE of a unit, and sees no more than the unit.
    pub(super) fn cursor(
        &self,
        unit: &UnitHeader<Slice<'d>>,
        die: UnitOffset,
    ) -> Result<Cursor<'d>, Fault> {
        let at = unit.debug_info_offset().ok_or(Fault::Malformed)?;
        if !die.is_in_bounds(unit) {
            return Err(Fault::Malformed);
        }
        let mut bytes = *self.dwarf.debug_info.reader();
        bytes.skip(at.0)?;
        bytes.truncate(unit.length_including_self())?;
        Ok(Cursor::new(bytes, die.0))
    }

    /// Returns fuel for a walk over so many bytes of its sections.
    pub(super) fn fuel_for(&self, bytes: usize) -> Fuel {
        Fuel::for_bytes(bytes, self.limits.steps_per_byte)
    }
}
