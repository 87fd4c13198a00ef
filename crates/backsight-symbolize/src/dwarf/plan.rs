//! Abbreviations compiled for a walk that wants functions alone.
//!
//! A compiler writes the same few hundred shapes of DIEs a million times. So what
//! is to be done with each shape is found out once:
//!
//! ```text
//!   name strp │ decl_file data1 │ type ref4 │ location exprloc │ sibling ref4
//!   skip 9 ────────────────────────────────▶  skip a block       skip 4
//! ```
//!
//! Runs of attributes whose size is known become one step; of functions and
//! inlined calls the attributes that are asked for are read.

use gimli::{DwAt, DwForm, DwTag, Encoding};

use super::cursor::Cursor;
use super::form::{self, Value};
use super::{Fault, Fuel, Slice};

/// The plans for all abbreviations of one table, in one encoding.
#[derive(Debug)]
pub(super) struct Plans {
    /// By code, ascending.
    plans: Vec<Plan>,
    /// So many of the first have the codes 1, 2, 3 … as compilers number them.
    dense: usize,
    steps: Vec<Step>,
    pub(super) encoding: Encoding,
}

/// What to do with a DIE of one abbreviation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    code: u64,
    pub(super) kind: Kind,
    pub(super) has_children: bool,
    /// In units of fuel.
    pub(super) cost: u32,
    /// Bytes to skip before the first step.
    pub(super) head: u32,
    first: u32,
    count: u32,
}

/// The DIEs that are asked for, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `DW_TAG_subprogram`.
    Function,
    /// `DW_TAG_inlined_subroutine`.
    Inlined,
    Other,
}

/// A part of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// So many bytes.
    Skip(u32),
    /// A value whose size depends on it.
    Pass(DwForm),
    Read(DwAt, DwForm),
    /// `DW_FORM_implicit_const`.
    Constant(DwAt, i64),
}

impl Plans {
    /// Compiles the table that `table` starts with.
    pub(super) fn compile(
        table: Slice<'_>,
        encoding: Encoding,
        fuel: &mut Fuel,
    ) -> Result<Self, Fault> {
        let mut compiled = Self {
            plans: Vec::new(),
            dense: 0,
            steps: Vec::new(),
            encoding,
        };
        let mut cursor = Cursor::new(table, 0);
        loop {
            let code = cursor.uleb()?;
            if code == 0 {
                break;
            }
            compiled.abbreviation(code, &mut cursor, fuel)?;
        }
        let plans = &mut compiled.plans;
        plans.sort_by_key(|plan| plan.code);
        if plans
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.code == b.code))
        {
            return Err(Fault::Malformed);
        }
        let numbered = plans.iter().zip(1..);
        compiled.dense = numbered
            .take_while(|(plan, code)| plan.code == *code)
            .count();
        Ok(compiled)
    }

    fn abbreviation(
        &mut self,
        code: u64,
        cursor: &mut Cursor<'_>,
        fuel: &mut Fuel,
    ) -> Result<(), Fault> {
        let tag = u16::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)?;
        let kind = match DwTag(tag) {
            gimli::DW_TAG_subprogram => Kind::Function,
            gimli::DW_TAG_inlined_subroutine => Kind::Inlined,
            _ => Kind::Other,
        };
        let has_children = match cursor.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Fault::Malformed),
        };
        let first = self.steps.len();
        let mut head = 0_u32;
        loop {
            fuel.spend(1)?;
            let name = u16::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)?;
            let form = u16::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)?;
            let (name, form) = match (name, form) {
                (0, 0) => break,
                (0, _) | (_, 0) => return Err(Fault::Malformed),
                (name, form) => (DwAt(name), DwForm(form)),
            };
            let constant = if form == gimli::DW_FORM_implicit_const {
                Some(cursor.sleb()?)
            } else {
                None
            };
            if kind.wants(name) {
                self.steps.push(match constant {
                    Some(constant) => Step::Constant(name, constant),
                    None => Step::Read(name, form),
                });
                continue;
            }
            let Some(size) = form::fixed_size(form, self.encoding) else {
                self.steps.push(Step::Pass(form));
                continue;
            };
            let run = match self
                .steps
                .get_mut(first..)
                .and_then(|steps| steps.last_mut())
            {
                None => Some(&mut head),
                Some(Step::Skip(run)) => Some(run),
                Some(_) => None,
            };
            match run.map(|run| (run.checked_add(size.into()), run)) {
                Some((Some(sum), run)) => *run = sum,
                _ if size > 0 => self.steps.push(Step::Skip(size.into())),
                _ => {}
            }
        }
        let count = self.steps.len().saturating_sub(first);
        let small = |number: usize| u32::try_from(number).map_err(|_| Fault::Limit);
        self.plans.push(Plan {
            code,
            kind,
            has_children,
            cost: small(count.saturating_add(1))?,
            head,
            first: small(first)?,
            count: small(count)?,
        });
        Ok(())
    }

    /// Returns the plan for this code.
    #[inline]
    pub(super) fn get(&self, code: u64) -> Option<&Plan> {
        let before = usize::try_from(code.wrapping_sub(1)).ok()?;
        if before < self.dense {
            return self.plans.get(before);
        }
        let sparse = self.plans.get(self.dense..)?;
        let at = sparse.binary_search_by_key(&code, |plan| plan.code).ok()?;
        sparse.get(at)
    }

    #[inline]
    pub(super) fn steps(&self, plan: &Plan) -> &[Step] {
        let (first, count) = (usize::try_from(plan.first), usize::try_from(plan.count));
        let steps = first.ok().and_then(|first| self.steps.get(first..));
        let steps = steps.and_then(|steps| steps.get(..count.ok()?));
        steps.unwrap_or_default()
    }
}

impl Kind {
    fn wants(self, name: DwAt) -> bool {
        let place = matches!(
            name,
            gimli::DW_AT_low_pc
                | gimli::DW_AT_high_pc
                | gimli::DW_AT_ranges
                | gimli::DW_AT_abstract_origin
                | gimli::DW_AT_specification
        );
        match self {
            Self::Function => {
                place
                    || matches!(
                        name,
                        gimli::DW_AT_name
                            | gimli::DW_AT_linkage_name
                            | gimli::DW_AT_MIPS_linkage_name
                    )
            }
            Self::Inlined => {
                place
                    || matches!(
                        name,
                        gimli::DW_AT_call_file | gimli::DW_AT_call_line | gimli::DW_AT_call_column
                    )
            }
            Self::Other => false,
        }
    }
}

impl Step {
    /// Passes the bytes, and returns what was read on the way.
    #[inline]
    pub(super) fn run<'d>(
        self,
        cursor: &mut Cursor<'d>,
        encoding: Encoding,
    ) -> Result<Option<(DwAt, Value<'d>)>, Fault> {
        match self {
            Self::Skip(count) => {
                cursor.skip(usize::try_from(count).map_err(|_| Fault::Malformed)?)?;
                Ok(None)
            }
            Self::Pass(form) => form::skip(form, cursor, encoding).map(|()| None),
            Self::Constant(name, value) => Ok(Some((name, Value::signed(value)))),
            Self::Read(name, form) => {
                let is_offset = name == gimli::DW_AT_ranges;
                let value = Value::read(form, is_offset, cursor, encoding)?;
                Ok(Some((name, value)))
            }
        }
    }
}
