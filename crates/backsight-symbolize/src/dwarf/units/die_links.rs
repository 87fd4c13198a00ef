//! What DIEs refer to: other DIEs, in whichever file they are.

use gimli::{DebugInfoOffset, UnitOffset};

use super::unit::Unit;
use super::unit_file::UnitFileKind;
use super::unit_list::UnitList;
use crate::dwarf::die::form::{AttrValue, ValueClass};
use crate::dwarf::functions::scope::ScopedNames;

/// The units that may be referred to.
#[derive(Debug)]
pub(in crate::dwarf) struct DieLinks<'d> {
    /// Of the main file.
    pub(in crate::dwarf) units: UnitList<'d>,
    pub(in crate::dwarf) supplementary: Option<UnitList<'d>>,
    pub(in crate::dwarf) scoped: ScopedNames<'d>,
}

impl<'d> DieLinks<'d> {
    /// Returns whether the file that an attribute refers to is there.
    pub(in crate::dwarf) fn should_have(&self, link: AttrValue) -> bool {
        match link.class {
            ValueClass::UnitRef | ValueClass::InfoRef => true,
            ValueClass::SupRef => self.supplementary.is_some(),
            _ => false,
        }
    }

    /// Returns the unit and the DIE in it that an attribute of a DIE of `unit` refers to.
    pub(in crate::dwarf) fn target<'l>(
        &'l self,
        unit: &'l Unit<'d>,
        link: AttrValue,
    ) -> Option<(&'l Unit<'d>, UnitOffset)> {
        let at = usize::try_from(link.number).ok()?;
        match (link.class, unit.unit_file.kind) {
            (ValueClass::UnitRef, _) => Some((unit, UnitOffset(at))),
            (ValueClass::InfoRef, UnitFileKind::Main) => self.units.around(DebugInfoOffset(at)),
            (ValueClass::InfoRef, UnitFileKind::Supplementary) | (ValueClass::SupRef, _) => {
                self.supplementary.as_ref()?.around(DebugInfoOffset(at))
            }
            // Compilers keep split units from referring to each other.
            (ValueClass::InfoRef, UnitFileKind::Split(_)) => {
                let inside = at.checked_sub(unit.offset)?;
                (inside < unit.length()).then_some((unit, UnitOffset(inside)))
            }
            _ => None,
        }
    }
}
