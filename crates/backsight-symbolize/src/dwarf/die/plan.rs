//! What a walk that wants functions alone does with each shape of DIE.
//!
//! A compiler writes the same few hundred shapes of DIEs a million times. So what
//! is to be done with each shape is found out once:
//!
//! ```text
//!   name strp │ decl_file data1 │ type ref4 │ location exprloc │ sibling ref4
//!   pass 9 ────────────────────────────────▶  pass a block       pass 4
//! ```
//!
//! Attributes whose sizes are known are passed in one step; of functions and
//! inlined calls those that are asked for are read on the way.

use gimli::Encoding;

use super::cursor::DwarfCursor;
use super::form::{AttrValue, FormSize, ValueClass};
use super::values::{Classes, DieValues, ValueSlot};
use crate::dwarf::fault::Fault;

/// The plans for all abbreviations of one table, in one encoding.
#[derive(Debug)]
pub(in crate::dwarf) struct AbbrevPlans {
    /// By code, ascending, each once.
    pub(in crate::dwarf) plans: Vec<AbbrevPlan>,
    pub(in crate::dwarf) steps: Vec<PlanStep>,
    pub(in crate::dwarf) fields: Vec<FixedField>,
    pub(in crate::dwarf) encoding: Encoding,
}

/// What to do with a DIE of one abbreviation.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct AbbrevPlan {
    pub(in crate::dwarf) code: u64,
    pub(in crate::dwarf) kind: DieKind,
    pub(in crate::dwarf) has_children: bool,
    /// In units of fuel.
    pub(in crate::dwarf) cost: u32,
    /// Bytes to pass before the first step.
    pub(in crate::dwarf) head: u32,
    /// Its steps.
    pub(in crate::dwarf) first: u32,
    pub(in crate::dwarf) count: u32,
    /// What the numbers are that fields have.
    pub(in crate::dwarf) classes: Classes,
}

/// The tags that are read; `Other` is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) enum DieKind {
    /// `DW_TAG_subprogram`.
    Function,
    /// `DW_TAG_inlined_subroutine`.
    Inlined,
    /// `DW_TAG_namespace`.
    Namespace,
    /// `DW_TAG_class_type`, `DW_TAG_interface_type`.
    Class,
    /// `DW_TAG_structure_type`.
    Structure,
    /// `DW_TAG_union_type`.
    Union,
    Other,
}

impl DieKind {
    /// Whether it is a function or an inlined call.
    #[inline]
    pub(in crate::dwarf) fn is_code(self) -> bool {
        matches!(self, Self::Function | Self::Inlined)
    }

    /// Whether it puts its name before those of the functions in it.
    #[inline]
    pub(in crate::dwarf) fn is_scope(self) -> bool {
        !self.is_code() && self != Self::Other
    }
}

/// A part of a plan.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) enum PlanStep {
    /// Attributes whose sizes are known, side by side.
    Fields(FixedFields),
    /// A value whose size depends on it.
    Pass(FormSize),
    /// A value that goes to this place in [`DieValues`].
    Read(ValueSlot, FormSize, ValueClass),
    /// `DW_FORM_implicit_const`.
    Constant(ValueSlot, i64),
}

/// A run of bytes, and the numbers in it that are read.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct FixedFields {
    pub(in crate::dwarf) bytes: u32,
    pub(in crate::dwarf) first: u32,
    pub(in crate::dwarf) count: u8,
}

/// A number that goes to its place in [`DieValues`]: the plan says what it is. Nearly all
/// values are such.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct FixedField {
    /// Where it stands, in bytes behind the first of its step.
    pub(in crate::dwarf) at: u16,
    /// Of eight bytes from there, the bits that are not its own.
    pub(in crate::dwarf) unused: u8,
    pub(in crate::dwarf) slot: ValueSlot,
}

impl AbbrevPlans {
    /// Returns the plan for this code.
    #[inline]
    pub(in crate::dwarf) fn get(&self, code: u64) -> Option<&AbbrevPlan> {
        // Compilers number them 1, 2, 3 …
        let before = usize::try_from(code.wrapping_sub(1)).ok()?;
        match self.plans.get(before) {
            Some(plan) if plan.code == code => Some(plan),
            _ => {
                let at = self.plans.binary_search_by_key(&code, |plan| plan.code);
                self.plans.get(at.ok()?)
            }
        }
    }

    /// Reads the attributes of a DIE, after its abbreviation code, into `values`.
    #[inline]
    pub(in crate::dwarf) fn read(
        &self,
        plan: &AbbrevPlan,
        cursor: &mut DwarfCursor<'_>,
        values: &mut DieValues,
    ) -> Result<(), Fault> {
        values.begin(plan.classes);
        cursor.skip_wide(plan.head)?;
        for step in self.steps(plan) {
            match *step {
                PlanStep::Fields(fields) => self.read_fields(fields, cursor, values)?,
                PlanStep::Read(slot, size, class) => {
                    values.set(slot, AttrValue::read(size, class, cursor, self.encoding)?);
                }
                PlanStep::Constant(slot, value) => values.set(slot, AttrValue::signed(value)),
                PlanStep::Pass(size) => size.skip(cursor, self.encoding)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn read_fields(
        &self,
        fields: FixedFields,
        cursor: &mut DwarfCursor<'_>,
        values: &mut DieValues,
    ) -> Result<(), Fault> {
        let rest = cursor.rest();
        for field in slice(&self.fields, fields.first, fields.count.into()) {
            values.set_number(field.slot, rest.number_at(field.at.into(), field.unused)?);
        }
        cursor.skip_wide(fields.bytes)
    }

    /// Passes a DIE, behind its code.
    #[inline]
    pub(in crate::dwarf) fn pass(
        &self,
        plan: &AbbrevPlan,
        cursor: &mut DwarfCursor<'_>,
    ) -> Result<(), Fault> {
        cursor.skip_wide(plan.head)?;
        if plan.count > 0 {
            for step in self.steps(plan) {
                match *step {
                    PlanStep::Fields(fields) => cursor.skip_wide(fields.bytes)?,
                    PlanStep::Pass(size) | PlanStep::Read(_, size, _) => {
                        size.skip(cursor, self.encoding)?;
                    }
                    PlanStep::Constant(..) => {}
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn steps(&self, plan: &AbbrevPlan) -> &[PlanStep] {
        slice(&self.steps, plan.first, plan.count)
    }
}

#[inline]
fn slice<T>(all: &[T], first: u32, count: u32) -> &[T] {
    let (first, count) = (usize::try_from(first), usize::try_from(count));
    let rest = first.ok().and_then(|first| all.get(first..));
    let some = rest.and_then(|rest| rest.get(..count.ok()?));
    some.unwrap_or_default()
}
