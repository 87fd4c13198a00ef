//! A walk over the DIEs of one unit that stops at those that have to do with
//! code: functions and inlined calls. All others are passed by.
//!
//! Types, variables and parameters are nine of ten DIEs, so passing them is what
//! a walk spends its time on; [`AbbrevPlans`] say how. Nothing here recurses: the depth
//! is a number.

use std::sync::Arc;

use gimli::UnitOffset;

use super::cursor::DwarfCursor;
use super::form::{self, AttrValue, column};
use super::fuel::Fuel;
use super::plan::{AbbrevPlans, DieKind};
use super::values::{DieValues, ValueSlot};
use crate::dwarf::fault::Fault;
use crate::dwarf::ranges::range::RangeAttrs;
use crate::dwarf::units::unit::Unit;

/// A walk over DIEs in their order, parents before their children.
#[derive(Debug)]
pub(in crate::dwarf) struct CodeDies<'d> {
    cursor: DwarfCursor<'d>,
    plans: Arc<AbbrevPlans>,
    /// Of the next DIE.
    depth: isize,
    /// The walk ends with the first DIE that is not deeper than this.
    floor: isize,
    /// DIEs deeper than this are passed by, until one is not.
    ceiling: isize,
    /// The least depth that was come back to since a DIE was returned.
    closed: isize,
    /// The DIE that was returned last. It stays where it is read: it is too large to be
    /// handed on twice for each.
    last: CodeDie,
}

/// A function or an inlined call.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct CodeDie {
    pub(in crate::dwarf) die: UnitOffset,
    /// Below where the walk began, which has depth 0.
    pub(in crate::dwarf) depth: isize,
    /// Of the DIEs returned before, those at this depth or deeper have ended:
    /// they do not enclose this one. At most `depth`.
    pub(in crate::dwarf) closed: isize,
    /// [`DieKind::Function`] or [`DieKind::Inlined`].
    pub(in crate::dwarf) kind: DieKind,
    pub(in crate::dwarf) has_children: bool,
    values: DieValues,
}

impl<'d> CodeDies<'d> {
    /// Begins with the root of the unit and ends with the last byte of it.
    pub(in crate::dwarf) fn of_unit(unit: &Unit<'d>) -> Result<Self, Fault> {
        let root = unit.header.root_offset();
        Self::new(root, isize::MIN, unit)
    }

    /// Begins with the DIE at `die` and ends with its last descendant.
    pub(in crate::dwarf) fn of_subtree(die: UnitOffset, unit: &Unit<'d>) -> Result<Self, Fault> {
        Self::new(die, 0, unit)
    }

    fn new(die: UnitOffset, floor: isize, unit: &Unit<'d>) -> Result<Self, Fault> {
        Ok(Self {
            cursor: unit.cursor(die)?,
            plans: Arc::clone(unit.plans()?),
            depth: 0,
            floor,
            ceiling: isize::MAX,
            closed: isize::MAX,
            last: CodeDie::NONE,
        })
    }

    /// Returns the next function or inlined call, `None` at the end.
    ///
    /// [`Fault::Malformed`] where the bytes make no sense, [`Fault::Limit`] when
    /// the fuel does not last; what was returned before counts, and nothing comes
    /// after.
    pub(in crate::dwarf) fn next(&mut self, fuel: &mut Fuel) -> Result<Option<&CodeDie>, Fault> {
        // Few DIEs have to do with code: where the walk is stays at hand meanwhile.
        let mut cursor = self.cursor;
        self.cursor = cursor.end();
        let mut depth = self.depth;
        while !cursor.is_empty() {
            let die = UnitOffset(cursor.at());
            let code = cursor.uleb()?;
            if code == 0 {
                fuel.spend(1)?;
                depth = depth.saturating_sub(1);
                self.closed = self.closed.min(depth);
                if depth <= self.ceiling {
                    self.ceiling = isize::MAX;
                }
                if depth <= self.floor {
                    break;
                }
                continue;
            }
            let plan = self.plans.get(code).ok_or(Fault::Malformed)?;
            fuel.spend(usize::try_from(plan.cost).unwrap_or(usize::MAX))?;
            let at = depth;
            if plan.has_children {
                depth = at.saturating_add(1);
            }
            if !plan.kind.is_code() || at > self.ceiling {
                self.plans.pass(plan, &mut cursor)?;
                if depth <= self.floor {
                    break;
                }
                continue;
            }
            let last = &mut self.last;
            self.plans.read(plan, &mut cursor, &mut last.values)?;
            last.die = die;
            last.depth = at;
            last.closed = self.closed.min(at);
            last.kind = plan.kind;
            last.has_children = plan.has_children;
            self.closed = isize::MAX;
            self.depth = depth;
            if depth > self.floor {
                self.cursor = cursor;
            }
            return Ok(Some(&self.last));
        }
        Ok(None)
    }

    /// Passes all descendants of the DIE that was returned last.
    pub(in crate::dwarf) fn skip_children(&mut self) {
        if self.last.has_children {
            self.ceiling = self.last.depth;
        }
    }
}

impl CodeDie {
    /// No DIE yet.
    pub(in crate::dwarf) const NONE: Self = Self {
        die: UnitOffset(0),
        depth: 0,
        closed: 0,
        kind: DieKind::Other,
        has_children: false,
        values: DieValues::NONE,
    };

    /// Becomes the DIE at `die` alone; `false` when that is neither a function nor an
    /// inlined call.
    pub(in crate::dwarf) fn read(
        &mut self,
        die: UnitOffset,
        unit: &Unit<'_>,
        fuel: &mut Fuel,
    ) -> Result<bool, Fault> {
        let plans = unit.plans()?;
        let mut cursor = unit.cursor(die)?;
        let plan = plans.get(cursor.uleb()?).ok_or(Fault::Malformed)?;
        fuel.spend(usize::try_from(plan.cost).unwrap_or(usize::MAX))?;
        (self.die, self.depth, self.closed) = (die, 0, 0);
        (self.kind, self.has_children) = (plan.kind, plan.has_children);
        if !plan.kind.is_code() {
            return Ok(false);
        }
        plans.read(plan, &mut cursor, &mut self.values)?;
        Ok(true)
    }

    /// Returns where its code is.
    pub(in crate::dwarf) fn ranges(&self) -> RangeAttrs {
        RangeAttrs {
            low: self.values.get(ValueSlot::Low),
            high: self.values.get(ValueSlot::High),
            list: self.values.get(ValueSlot::Ranges),
        }
    }

    /// Returns `DW_AT_abstract_origin`, what this is a copy of, or else
    /// `DW_AT_specification`, what declares it.
    pub(in crate::dwarf) fn origin(&self) -> Option<AttrValue> {
        let origin = self.values.get(ValueSlot::Origin).some();
        origin.or(self.values.get(ValueSlot::Specification).some())
    }

    /// Returns whether a function has a name of its own.
    pub(in crate::dwarf) fn is_named(&self) -> bool {
        self.name().is_some() || self.linkage_name().is_some()
    }

    /// Returns `DW_AT_linkage_name`, of a function.
    pub(in crate::dwarf) fn linkage_name(&self) -> Option<AttrValue> {
        self.of_function(ValueSlot::LinkageName)
    }

    /// Returns `DW_AT_name`, of a function.
    pub(in crate::dwarf) fn name(&self) -> Option<AttrValue> {
        self.of_function(ValueSlot::Name)
    }

    fn of_function(&self, slot: ValueSlot) -> Option<AttrValue> {
        let value = self.values.get(slot);
        value.some().filter(|_| self.kind == DieKind::Function)
    }

    /// Returns `DW_AT_decl_line`, of a function; 0 when it does not say.
    pub(in crate::dwarf) fn decl_line(&self) -> u32 {
        match self.kind {
            DieKind::Function => self.line(ValueSlot::DeclLine),
            _ => 0,
        }
    }

    /// Returns `DW_AT_call_file`, of an inlined call of this unit.
    pub(in crate::dwarf) fn call_file(&self, unit: &Unit<'_>) -> Option<u64> {
        // File 0 meant "none" until DWARF 5 gave it to the unit's own file.
        let own_file = unit.header.version() >= 5;
        let file = self.values.get(ValueSlot::CALL_FILE).as_number();
        file.filter(|file| *file > 0 || own_file)
    }

    /// Returns `DW_AT_call_line`, of an inlined call; 0 when it does not say.
    pub(in crate::dwarf) fn call_line(&self) -> u32 {
        self.line(ValueSlot::CALL_LINE)
    }

    /// Returns `DW_AT_call_column`, of an inlined call; 0 when it does not say.
    pub(in crate::dwarf) fn call_column(&self) -> u16 {
        let number = self.values.get(ValueSlot::CALL_COLUMN).as_number();
        number.map_or(0, column)
    }

    fn line(&self, slot: ValueSlot) -> u32 {
        self.values.get(slot).as_number().map_or(0, form::line)
    }
}

#[cfg(test)]
mod tests;
