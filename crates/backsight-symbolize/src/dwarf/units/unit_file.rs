//! The file that a unit stands in.
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
//! So each unit has a [`UnitFile`]: its sections hold the strings and abbreviations that
//! the unit refers to. Files do not nest: a supplementary file has no supplementary file,
//! and units of a `.dwo` are no skeletons.

use std::sync::Arc;

use gimli::{
    Abbreviations, DebugAddrBase, DebugRngListsBase, Reader, RunTimeEndian, Section, UnitHeader,
    UnitOffset,
};

use crate::dwarf::damage::Damage;
use crate::dwarf::die::abbrev::AbbrevTables;
use crate::dwarf::die::cursor::DwarfCursor;
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::limits::Limits;

/// Where the units of one file, or one unit of a package, have their bytes.
#[derive(Debug)]
pub(in crate::dwarf) struct UnitFile<'d> {
    pub(in crate::dwarf) dwarf: gimli::Dwarf<Slice<'d>>,
    pub(in crate::dwarf) abbrevs: AbbrevTables<'d>,
    pub(in crate::dwarf) kind: UnitFileKind,
    pub(in crate::dwarf) limits: &'d Limits,
    /// Of all files that go together.
    pub(in crate::dwarf) damage: &'d Damage,
    /// For units of gimli's that need none.
    pub(in crate::dwarf) no_abbreviations: Arc<Abbreviations>,
}

/// Which of the files it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) enum UnitFileKind {
    Main,
    Supplementary,
    Split(SkeletonBases),
}

/// What a split unit takes from its skeleton, whose file was linked.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct SkeletonBases {
    pub(in crate::dwarf) low_pc: u64,
    pub(in crate::dwarf) addr_base: DebugAddrBase<usize>,
    /// Up to DWARF 4: `DW_AT_GNU_ranges_base`.
    pub(in crate::dwarf) ranges_base: DebugRngListsBase<usize>,
}

impl SkeletonBases {
    /// Suffices to read the `DwoId`.
    pub(in crate::dwarf) const NOTHING: Self = Self {
        low_pc: 0,
        addr_base: DebugAddrBase(0),
        ranges_base: DebugRngListsBase(0),
    };
}

impl<'d> UnitFile<'d> {
    pub(in crate::dwarf) fn new(
        dwarf: gimli::Dwarf<Slice<'d>>,
        kind: UnitFileKind,
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

    pub(in crate::dwarf) fn endian(&self) -> RunTimeEndian {
        self.dwarf.debug_info.reader().endian()
    }

    /// Starts at a DIE of a unit, and sees no more than the unit.
    pub(in crate::dwarf) fn cursor(
        &self,
        unit: &UnitHeader<Slice<'d>>,
        die: UnitOffset,
    ) -> Result<DwarfCursor<'d>, Fault> {
        let at = unit.debug_info_offset().ok_or(Fault::Malformed)?;
        if !die.is_in_bounds(unit) {
            return Err(Fault::Malformed);
        }
        let mut bytes = *self.dwarf.debug_info.reader();
        bytes.skip(at.0)?;
        bytes.truncate(unit.length_including_self())?;
        Ok(DwarfCursor::new(bytes, die.0))
    }

    /// Returns fuel for a walk over so many bytes of its sections.
    pub(in crate::dwarf) fn fuel_for(&self, bytes: usize) -> Fuel {
        Fuel::for_bytes(bytes, self.limits.steps_per_byte)
    }
}
