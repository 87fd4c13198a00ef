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

use gimli::{DebugAddrBase, DebugRngListsBase, Section};

use super::abbrev::AbbrevTables;
use super::{Fuel, Slice};
use crate::Limits;

/// Where the units of one file, or one unit of a package, have their bytes.
#[derive(Debug)]
pub(super) struct Home<'d> {
    pub(super) dwarf: gimli::Dwarf<Slice<'d>>,
    pub(super) abbrevs: AbbrevTables<'d>,
    pub(super) kind: HomeKind,
    pub(super) limits: &'d Limits,
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
    pub(super) fn new(dwarf: gimli::Dwarf<Slice<'d>>, kind: HomeKind, limits: &'d Limits) -> Self {
        let abbrevs = *dwarf.debug_abbrev.reader();
        let fuel = Fuel::for_bytes(abbrevs.len(), limits.steps_per_byte);
        Self {
            abbrevs: AbbrevTables::new(abbrevs, fuel),
            dwarf,
            kind,
            limits,
        }
    }

    /// Returns fuel for a walk over so many bytes of its sections.
    pub(super) fn fuel_for(&self, bytes: usize) -> Fuel {
        Fuel::for_bytes(bytes, self.limits.steps_per_byte)
    }
}
