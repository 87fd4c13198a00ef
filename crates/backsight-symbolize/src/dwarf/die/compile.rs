//! Abbreviations made into [`AbbrevPlans`].

use gimli::{DwAt, Encoding};

use super::cursor::{DwarfCursor, unused_bits};
use super::entry::{AttrSpec, DieHead};
use super::form::{FormSize, ValueClass};
use super::fuel::Fuel;
use super::plan::{AbbrevPlan, AbbrevPlans, DieKind, FixedField, FixedFields, PlanStep};
use super::slice::Slice;
use super::values::{Classes, ValueSlot};
use crate::dwarf::fault::Fault;

/// Compiles the table that `table` starts with, at two steps of fuel for each
/// attribute.
pub(in crate::dwarf) fn compile(
    table: Slice<'_>,
    encoding: Encoding,
    fuel: &mut Fuel,
) -> Result<AbbrevPlans, Fault> {
    let mut compiled = AbbrevPlans {
        plans: Vec::with_capacity(64),
        steps: Vec::with_capacity(64),
        fields: Vec::with_capacity(64),
        encoding,
    };
    let mut cursor = DwarfCursor::new(table, 0);
    while let Some(head) = DieHead::read(&mut cursor)? {
        let plan = abbreviation(head, &mut cursor, &mut compiled, fuel)?;
        compiled.plans.push(plan);
    }
    let plans = &mut compiled.plans;
    if !plans.is_sorted_by_key(|plan| plan.code) {
        plans.sort_by_key(|plan| plan.code);
    }
    let same = |pair: &[AbbrevPlan]| matches!(pair, [a, b] if a.code == b.code);
    if plans.windows(2).any(same) {
        return Err(Fault::Malformed);
    }
    Ok(compiled)
}

/// One abbreviation on its way into a plan.
struct Compiling<'p> {
    plans: &'p mut AbbrevPlans,
    first_step: usize,
    /// Attributes whose sizes are known, side by side, that are in no step yet.
    run: u32,
    first_field: usize,
    head: u32,
    classes: Classes,
    met: [bool; ValueSlot::COUNT],
}

fn abbreviation(
    head: DieHead,
    cursor: &mut DwarfCursor<'_>,
    plans: &mut AbbrevPlans,
    fuel: &mut Fuel,
) -> Result<AbbrevPlan, Fault> {
    let kind = match head.tag {
        gimli::DW_TAG_subprogram => DieKind::Function,
        gimli::DW_TAG_inlined_subroutine => DieKind::Inlined,
        gimli::DW_TAG_namespace => DieKind::Namespace,
        gimli::DW_TAG_class_type | gimli::DW_TAG_interface_type => DieKind::Class,
        gimli::DW_TAG_structure_type => DieKind::Structure,
        gimli::DW_TAG_union_type => DieKind::Union,
        _ => DieKind::Other,
    };
    let encoding = plans.encoding;
    let mut compiling = Compiling {
        first_step: plans.steps.len(),
        run: 0,
        first_field: plans.fields.len(),
        head: 0,
        classes: [ValueClass::Nothing; ValueSlot::COUNT],
        met: [false; ValueSlot::COUNT],
        plans,
    };
    loop {
        // One for the bytes, one for the room of a step.
        fuel.spend(2)?;
        let spec = AttrSpec::read(cursor)?;
        if spec.is_end() {
            break;
        }
        match (slot_of(kind, spec.name), spec.constant(cursor)?) {
            (None, Some(_)) => {}
            (None, None) => compiling.pass(spec.layout(encoding).0)?,
            (Some(slot), Some(constant)) => {
                compiling.meet(slot);
                compiling.end_run();
                compiling
                    .plans
                    .steps
                    .push(PlanStep::Constant(slot, constant));
            }
            (Some(slot), None) => {
                let (size, class) = spec.layout(encoding);
                compiling.read(slot, size, class)?;
            }
        }
    }
    compiling.end_run();
    compiling.finish(head, kind)
}

impl Compiling<'_> {
    fn pass(&mut self, size: FormSize) -> Result<(), Fault> {
        if let FormSize::Fixed(bytes) = size {
            return self.pass_bytes(bytes);
        }
        self.end_run();
        self.plans.steps.push(PlanStep::Pass(size));
        Ok(())
    }

    fn pass_bytes(&mut self, bytes: u8) -> Result<(), Fault> {
        self.run = self.run.checked_add(bytes.into()).ok_or(Fault::Limit)?;
        Ok(())
    }

    fn read(&mut self, slot: ValueSlot, size: FormSize, class: ValueClass) -> Result<(), Fault> {
        let reopen_origin = self.meet(slot);
        // If an attribute occurs twice, the last is used.
        if let (FormSize::Fixed(size @ 1..=8), false) = (size, reopen_origin) {
            if self.run > u16::MAX.into() {
                self.end_run();
            }
            let at = u16::try_from(self.run).map_err(|_| Fault::Limit)?;
            let unused = unused_bits(size);
            self.plans.fields.push(FixedField { at, unused, slot });
            if let Some(place) = self.classes.get_mut(slot as usize) {
                *place = class;
            }
            return self.pass_bytes(size);
        }
        self.end_run();
        self.plans.steps.push(PlanStep::Read(slot, size, class));
        Ok(())
    }

    /// Returns whether the DIE had this attribute before.
    fn meet(&mut self, slot: ValueSlot) -> bool {
        let met = self.met.get_mut(slot as usize);
        met.is_some_and(|met| std::mem::replace(met, true))
    }

    /// Makes a step of the attributes whose sizes are known, or the head of the plan.
    fn end_run(&mut self) {
        let bytes = std::mem::take(&mut self.run);
        let first = std::mem::replace(&mut self.first_field, self.plans.fields.len());
        let count = self.plans.fields.len().saturating_sub(first);
        if count == 0 && self.plans.steps.len() == self.first_step {
            self.head = self.head.saturating_add(bytes);
        } else if bytes > 0 {
            self.plans.steps.push(PlanStep::Fields(FixedFields {
                bytes,
                first: u32::try_from(first).unwrap_or(u32::MAX),
                // One for each slot at most.
                count: u8::try_from(count).unwrap_or(u8::MAX),
            }));
        }
    }

    fn finish(self, of: DieHead, kind: DieKind) -> Result<AbbrevPlan, Fault> {
        let count = self.plans.steps.len().saturating_sub(self.first_step);
        let small = |number: usize| u32::try_from(number).map_err(|_| Fault::Limit);
        Ok(AbbrevPlan {
            code: of.code,
            kind,
            has_children: of.has_children,
            cost: small(count.saturating_add(1))?,
            head: self.head,
            first: small(self.first_step)?,
            count: small(count)?,
            classes: self.classes,
        })
    }
}

/// Returns where the value of an attribute is kept; `None` for one that is not read.
#[inline]
fn slot_of(kind: DieKind, name: DwAt) -> Option<ValueSlot> {
    if kind.is_scope() {
        return match name {
            gimli::DW_AT_name => Some(ValueSlot::Name),
            gimli::DW_AT_signature => Some(ValueSlot::Origin),
            gimli::DW_AT_specification | gimli::DW_AT_extension => Some(ValueSlot::Specification),
            _ => None,
        };
    }
    if !kind.is_code() {
        return None;
    }
    let is_function = kind == DieKind::Function;
    Some(match name {
        gimli::DW_AT_low_pc => ValueSlot::Low,
        gimli::DW_AT_high_pc => ValueSlot::High,
        gimli::DW_AT_ranges => ValueSlot::Ranges,
        gimli::DW_AT_abstract_origin => ValueSlot::Origin,
        gimli::DW_AT_specification => ValueSlot::Specification,
        gimli::DW_AT_name if is_function => ValueSlot::Name,
        gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name if is_function => {
            ValueSlot::LinkageName
        }
        gimli::DW_AT_call_file if !is_function => ValueSlot::CALL_FILE,
        gimli::DW_AT_call_line if !is_function => ValueSlot::CALL_LINE,
        gimli::DW_AT_decl_line if is_function => ValueSlot::DeclLine,
        gimli::DW_AT_call_column if !is_function => ValueSlot::CALL_COLUMN,
        _ => return None,
    })
}
