//! What DIEs refer to: other DIEs, in whichever file they are.

use gimli::{DebugInfoOffset, UnitOffset};

use super::form::{Class, Value};
use super::home::HomeKind;
use super::scope::ScopedNames;
use super::unit::Unit;
use super::units::Units;

/// The units that may be referred to.
#[derive(Debug)]
pub(super) struct Links<'d> {
    /// Of the main file.
    pub(super) units: Units<'d>,
    pub(super) supplementary: Option<Units<'d>>,
    pub(super) scoped: ScopedNames<'d>,
}

impl<'d> Links<'d> {
    /// Returns whether the file that an attribute refers to is there.
    pub(super) fn should_have(&self, link: Value) -> bool {
        match link.class {
            Class::UnitRef | Class::InfoRef => true,
            Class::SupRef => self.supplementary.is_some(),
            _ => false,
        }
    }

    /// Returns the unit and the DIE in it that an attribute of a DIE of `unit` refers to.
    pub(super) fn target<'l>(
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
