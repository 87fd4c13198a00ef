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
use super::form::{self, Class, Size, Value};
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
    /// What the numbers are that [`Step::Number`] reads.
    classes: [Class; Slot::COUNT],
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
    Pass(Size),
    /// A number of so many bytes, 1 to 8, that goes to this place in [`Values`]: the
    /// plan says what it is. Nearly all values are such.
    Number(Slot, u8),
    /// A value that goes to this place in [`Values`].
    Read(Slot, Size, Class),
    /// `DW_FORM_implicit_const`.
    Constant(Slot, i64),
}

/// The attributes that are read. Functions have no call site and inlined calls
/// no name of their own, so that these share places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Low = 0,
    High = 1,
    Ranges = 2,
    Origin = 3,
    Specification = 4,
    NameOrCallFile = 5,
    LinkageOrCallLine = 6,
    DeclLineOrCallColumn = 7,
}

impl Slot {
    const COUNT: usize = 8;
}

/// What was read of one DIE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    classes: [Class; Slot::COUNT],
    numbers: [u64; Slot::COUNT],
}

impl Plans {
    /// Compiles the table that `table` starts with, at two steps of fuel for each
    /// attribute.
    pub(super) fn compile(
        table: Slice<'_>,
        encoding: Encoding,
        fuel: &mut Fuel,
    ) -> Result<Self, Fault> {
        let mut compiled = Self {
            plans: Vec::with_capacity(32),
            dense: 0,
            steps: Vec::with_capacity(64),
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
        let mut classes = [Class::Nothing; Slot::COUNT];
        let mut met = [false; Slot::COUNT];
        loop {
            // One for the bytes, one for the room of a step.
            fuel.spend(2)?;
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
            let (size, class) = form::of(form, self.encoding);
            let slot = kind.slot(name);
            let met = slot.and_then(|slot| met.get_mut(slot as usize));
            let again = met.is_some_and(|met| std::mem::replace(met, true));
            let step = match (slot, constant, size) {
                (Some(slot), Some(constant), _) => Step::Constant(slot, constant),
                (Some(slot), None, Size::Fixed(bytes))
                    if name == gimli::DW_AT_ranges
                        && matches!(form, gimli::DW_FORM_data4 | gimli::DW_FORM_data8)
                        && bytes == self.encoding.format.word_size() =>
                {
                    // How offsets were written up to DWARF 3.
                    Step::Read(slot, size, Class::Offset)
                }
                // Of an attribute that is there twice the last counts, whatever it is.
                (Some(slot), None, Size::Fixed(bytes @ 1..=8)) if !again => {
                    if let Some(place) = classes.get_mut(slot as usize) {
                        *place = class;
                    }
                    Step::Number(slot, bytes)
                }
                (Some(slot), None, size) => Step::Read(slot, size, class),
                (None, Some(_), _) => continue,
                (None, None, Size::Fixed(more)) => {
                    let more = u32::from(more);
                    let before = self.steps.get_mut(first..).unwrap_or_default();
                    let run = match before.last_mut() {
                        None => Some(&mut head),
                        Some(Step::Skip(run)) => Some(run),
                        Some(_) => None,
                    };
                    if let Some(run) = run {
                        *run = run.checked_add(more).ok_or(Fault::Limit)?;
                        continue;
                    }
                    Step::Skip(more)
                }
                (None, None, size) => Step::Pass(size),
            };
            self.steps.push(step);
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
            classes,
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

    /// Reads what is asked for of a DIE, behind the head of its plan.
    #[inline]
    pub(super) fn read(&self, plan: &Plan, cursor: &mut Cursor<'_>) -> Result<Values, Fault> {
        let mut values = Values {
            classes: plan.classes,
            numbers: [0; Slot::COUNT],
        };
        for step in self.steps(plan) {
            step.read(cursor, self.encoding, &mut values)?;
        }
        Ok(values)
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
    /// Returns where the attribute goes, unless nobody asks for it.
    fn slot(self, name: DwAt) -> Option<Slot> {
        if self == Self::Other {
            return None;
        }
        Some(match name {
            gimli::DW_AT_low_pc => Slot::Low,
            gimli::DW_AT_high_pc => Slot::High,
            gimli::DW_AT_ranges => Slot::Ranges,
            gimli::DW_AT_abstract_origin => Slot::Origin,
            gimli::DW_AT_specification => Slot::Specification,
            gimli::DW_AT_name if self == Self::Function => Slot::NameOrCallFile,
            gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name
                if self == Self::Function =>
            {
                Slot::LinkageOrCallLine
            }
            gimli::DW_AT_call_file if self == Self::Inlined => Slot::NameOrCallFile,
            gimli::DW_AT_call_line if self == Self::Inlined => Slot::LinkageOrCallLine,
            gimli::DW_AT_decl_line if self == Self::Function => Slot::DeclLineOrCallColumn,
            gimli::DW_AT_call_column if self == Self::Inlined => Slot::DeclLineOrCallColumn,
            _ => return None,
        })
    }
}

impl Values {
    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Value {
        let class = self.classes.get(slot as usize).copied();
        let number = self.numbers.get(slot as usize).copied();
        Value::new(class.unwrap_or_default(), number.unwrap_or_default())
    }

    #[inline]
    fn set_number(&mut self, slot: Slot, number: u64) {
        if let Some(place) = self.numbers.get_mut(slot as usize) {
            *place = number;
        }
    }

    fn set(&mut self, slot: Slot, value: Value) {
        if let Some(place) = self.classes.get_mut(slot as usize) {
            *place = value.class;
        }
        self.set_number(slot, value.number);
    }
}

impl Step {
    /// Passes the bytes.
    #[inline]
    pub(super) fn skip(self, cursor: &mut Cursor<'_>, encoding: Encoding) -> Result<(), Fault> {
        match self {
            Self::Skip(count) => cursor.skip(usize::try_from(count).map_err(|_| Fault::Malformed)?),
            Self::Number(_, bytes) => cursor.skip(bytes.into()),
            Self::Pass(size) | Self::Read(_, size, _) => size.skip(cursor, encoding),
            Self::Constant(..) => Ok(()),
        }
    }

    /// Passes the bytes, and keeps what is asked for.
    #[inline]
    fn read(
        self,
        cursor: &mut Cursor<'_>,
        encoding: Encoding,
        values: &mut Values,
    ) -> Result<(), Fault> {
        match self {
            Self::Number(slot, bytes) => {
                values.set_number(slot, cursor.number(bytes)?);
                Ok(())
            }
            Self::Read(slot, size, class) => {
                values.set(slot, Value::read(size, class, cursor, encoding)?);
                Ok(())
            }
            Self::Constant(slot, value) => {
                values.set(slot, Value::signed(value));
                Ok(())
            }
            step => step.skip(cursor, encoding),
        }
    }
}
