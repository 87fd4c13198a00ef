//! What DIEs refer to: other DIEs, in whichever file they are.

use gimli::{DebugInfoOffset, UnitOffset};

use super::home::HomeKind;
use super::unit::Unit;
use super::unit_list::Units;
use crate::dwarf::die::form::{Class, Value};
use crate::dwarf::functions::scope::ScopedNames;

/// The units that may be referred to.
#[derive(Debug)]
pub(in crate::dwarf) struct Links<'d> {
    /// Of the main file.
    pub(in crate::dwarf) units: Units<'d>,
    pub(in crate::dwarf) supplementary: Option<Units<'d>>,
    pub(in crate::dwarf) scoped: ScopedNames<'d>,
}

impl<'d> Links<'d> {
    /// Returns whether the file that an attribute refers to is there.
    pub(in crate::dwarf) fn should_have(&self, link: Value) -> bool {
        match link.class {
            Class::UnitRef | Class::InfoRef => true,
            Class::SupRef => self.supplementary.is_some(),
            _ => false,
        }
    }

    /// Returns the unit and the DIE in it that an attribute of a DIE of `unit` refers to.
    pub(in crate::dwarf) fn target<'l>(
        &'l self,
        unit: &'l Unit<'d>,
        link: Value,
    ) -> Option<(&'l Unit<'d>, UnitOffset)> {
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
}
