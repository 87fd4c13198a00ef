//! A walk over the DIEs of one unit that stops at those that have to do with
//! code: functions and inlined calls. All others are passed by.
//!
//! Types, variables and parameters are nine of ten DIEs, so passing them is what
//! a walk spends its time on; [`Plans`] say how. Nothing here recurses: the depth
//! is a number.

use std::sync::Arc;

use gimli::UnitOffset;

use super::cursor::Cursor;
use super::form::Value;
use super::index::Index;
use super::plan::{Kind, Plan, Plans};
use super::range::RangeAttrs;
use super::unit::Unit;
use super::{Fault, Fuel};

/// A walk over DIEs in their order, parents before their children.
#[derive(Debug)]
pub(super) struct CodeDies<'d> {
    cursor: Cursor<'d>,
    plans: Arc<Plans>,
    /// Of the next DIE.
    depth: isize,
    /// The walk ends with the first DIE that is not deeper than this.
    floor: isize,
    /// DIEs deeper than this are passed by, until one is not.
    ceiling: isize,
    /// The least depth that was come back to since a DIE was returned.
    closed: isize,
}

/// A function or an inlined call.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeDie<'d> {
    pub(super) die: UnitOffset,
    /// Below where the walk began, which has depth 0.
    pub(super) depth: isize,
    /// Of the DIEs returned before, those at this depth or deeper have ended:
    /// they do not enclose this one. At most `depth`.
    pub(super) closed: isize,
    /// [`Kind::Function`] or [`Kind::Inlined`].
    pub(super) kind: Kind,
    pub(super) has_children: bool,
    pub(super) ranges: RangeAttrs<'d>,
    /// `DW_AT_abstract_origin`: what this is a copy of.
    pub(super) origin: Option<Value<'d>>,
    /// `DW_AT_specification`: what declares it.
    pub(super) specification: Option<Value<'d>>,
    /// Of functions: `DW_AT_linkage_name`.
    pub(super) linkage: Option<Value<'d>>,
    /// Of functions: `DW_AT_name`.
    pub(super) name: Option<Value<'d>>,
    /// Of inlined calls: `DW_AT_call_file`.
    pub(super) call_file: Option<u64>,
    /// Of inlined calls: `DW_AT_call_line`, 0 when it does not say.
    pub(super) call_line: u32,
    /// Of inlined calls: `DW_AT_call_column`, 0 when it does not say.
    pub(super) call_column: u32,
}

impl<'d> CodeDies<'d> {
    /// Begins with the root of the unit and ends with the last byte of it.
    pub(super) fn of_unit(unit: &Unit<'d>, index: &Index<'d>) -> Result<Self, Fault> {
        let root = unit.header.root_offset();
        Self::new(root, isize::MIN, unit, index)
    }

    /// Begins with the DIE at `die` and ends with its last descendant.
    pub(super) fn of_subtree(
        die: UnitOffset,
        unit: &Unit<'d>,
        index: &Index<'d>,
    ) -> Result<Self, Fault> {
        Self::new(die, 0, unit, index)
    }

    fn new(
        die: UnitOffset,
        floor: isize,
        unit: &Unit<'d>,
        index: &Index<'d>,
    ) -> Result<Self, Fault> {
        if !die.is_in_bounds(&unit.header) {
            return Err(Fault::Malformed);
        }
        let mut bytes = *gimli::Section::reader(&index.dwarf.debug_info);
        gimli::Reader::skip(&mut bytes, unit.offset)?;
        gimli::Reader::truncate(&mut bytes, unit.length())?;
        Ok(Self {
            cursor: Cursor::new(bytes, die.0),
            plans: index.abbrevs.plans(&unit.header)?,
            depth: 0,
            floor,
            ceiling: isize::MAX,
            closed: isize::MAX,
        })
    }

    /// Returns the next function or inlined call, `None` at the end.
    ///
    /// [`Fault::Malformed`] where the bytes make no sense, [`Fault::Limit`] when
    /// the fuel does not last; what was returned before counts, and nothing comes
    /// after.
    pub(super) fn next(&mut self, fuel: &mut Fuel) -> Result<Option<CodeDie<'d>>, Fault> {
        while !self.cursor.is_empty() {
            let die = UnitOffset(self.cursor.at());
            let code = self.cursor.uleb()?;
            let depth = self.depth;
            if code == 0 {
                fuel.spend(1)?;
                self.depth = depth.saturating_sub(1);
                self.closed = self.closed.min(self.depth);
                if self.depth <= self.floor {
                    break;
                }
                continue;
            }
            let plan = *self.plans.get(code).ok_or(Fault::Malformed)?;
            fuel.spend(usize::try_from(plan.cost).unwrap_or(usize::MAX))?;
            if plan.has_children {
                self.depth = depth.saturating_add(1);
            }
            if depth <= self.ceiling {
                self.ceiling = isize::MAX;
            }
            self.cursor
                .skip(usize::try_from(plan.head).map_err(|_| Fault::Malformed)?)?;
            if plan.kind == Kind::Other || depth > self.ceiling {
                for step in self.plans.steps(&plan) {
                    step.run(&mut self.cursor, self.plans.encoding)?;
                }
                if self.depth <= self.floor {
                    break;
                }
                continue;
            }
            let found = self.read(die, depth, &plan)?;
            self.closed = isize::MAX;
            if self.depth <= self.floor {
                self.stop();
            }
            return Ok(Some(found));
        }
        self.stop();
        Ok(None)
    }

    /// Passes all descendants of the DIE that was returned last.
    pub(super) fn skip_children(&mut self, of: &CodeDie<'d>) {
        self.ceiling = of.depth;
    }

    fn read(&mut self, die: UnitOffset, depth: isize, plan: &Plan) -> Result<CodeDie<'d>, Fault> {
        let mut found = CodeDie {
            die,
            depth,
            closed: self.closed.min(depth),
            kind: plan.kind,
            has_children: plan.has_children,
            ranges: RangeAttrs::default(),
            origin: None,
            specification: None,
            linkage: None,
            name: None,
            call_file: None,
            call_line: 0,
            call_column: 0,
        };
        for step in self.plans.steps(plan) {
            let Some((name, value)) = step.run(&mut self.cursor, self.plans.encoding)? else {
                continue;
            };
            match name {
                gimli::DW_AT_abstract_origin => found.origin = Some(value),
                gimli::DW_AT_specification => found.specification = Some(value),
                gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                    found.linkage = Some(value);
                }
                gimli::DW_AT_name => found.name = Some(value),
                gimli::DW_AT_call_file => found.call_file = number(value),
                gimli::DW_AT_call_line => found.call_line = narrow(value),
                gimli::DW_AT_call_column => found.call_column = narrow(value),
                _ => found.ranges.take(name, value),
            }
        }
        Ok(found)
    }

    fn stop(&mut self) {
        self.cursor = self.cursor.end();
    }
}

fn number(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// No source has 2^32 lines: such a number is no number.
fn narrow(value: Value<'_>) -> u32 {
    let number = number(value).and_then(|number| u32::try_from(number).ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests;
