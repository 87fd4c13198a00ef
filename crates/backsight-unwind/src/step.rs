//! Computes the caller's registers from a row of the CFI.

use crate::end::WalkEnd;
use crate::expression::{Bytes, evaluate};
use crate::machine::Machine;
use crate::registers::Registers;
use crate::row::{Cfa, ExpressionRange, Row, Saved};

/// The inputs of a step besides the row.
pub(crate) struct Step<'a> {
    pub(crate) machine: Machine,
    /// The section that contains the row's expressions.
    pub(crate) section: Bytes<'a>,
    /// Whether the program counter is exact rather than a return address: in the innermost
    /// frame, and in a frame interrupted by a signal.
    pub(crate) is_exact: bool,
    /// Bytes of expressions that may still be evaluated.
    pub(crate) fuel: &'a mut usize,
    /// Reads a word of recorded memory.
    pub(crate) word: &'a mut dyn FnMut(u64) -> Option<u64>,
}

impl Step<'_> {
    /// Returns the caller's registers.
    pub(crate) fn by_row(
        &mut self,
        row: &Row,
        registers: &Registers,
    ) -> Result<Registers, WalkEnd> {
        let machine = self.machine;
        let cfa = match row.cfa {
            Cfa::Register { register, offset } => {
                let base = registers.get(register).ok_or(WalkEnd::NoRule)?;
                base.checked_add_signed(offset).ok_or(WalkEnd::NoRule)?
            }
            Cfa::Expression(place) => self.value_of(row, place, None, registers)?,
        };
        let sp = registers.get(machine.stack_pointer());
        if !row.is_signal && sp.is_some_and(|sp| cfa < sp || (cfa == sp && !self.is_exact)) {
            return Err(WalkEnd::NoProgress);
        }
        let mut caller = *registers;
        caller.keep_only(|register| machine.is_callee_saved(register));
        for (register, saved) in &row.saved {
            let value = self.value(row, *register, *saved, cfa, registers);
            caller.set(*register, value.ok());
        }
        if row.saved(machine.stack_pointer()).is_none() {
            caller.set(machine.stack_pointer(), Some(cfa));
        }
        caller.pc = self.return_address(row, cfa, registers)?;
        // After a call, `x30` holds the return address.
        if !row.is_signal && machine == Machine::Aarch64 {
            caller.set(machine.return_address(), Some(caller.pc));
        }
        Ok(caller)
    }

    fn return_address(
        &mut self,
        row: &Row,
        cfa: u64,
        registers: &Registers,
    ) -> Result<u64, WalkEnd> {
        let column = row.return_address;
        let saved = row.saved(column);
        match (self.machine, saved) {
            (_, Some(Saved::Undefined))
            | (Machine::X86_64 | Machine::X86, None | Some(Saved::Same)) => Err(WalkEnd::Outermost),
            // A frame that has made a call no longer has its return address in `x30`.
            (Machine::Aarch64, None | Some(Saved::Same)) if !self.is_exact => Err(WalkEnd::NoRule),
            (Machine::Aarch64, None) => registers.get(column).ok_or(WalkEnd::NoRule),
            (_, Some(saved)) => self.value(row, column, saved, cfa, registers),
        }
    }

    fn value(
        &mut self,
        row: &Row,
        register: u16,
        saved: Saved,
        cfa: u64,
        registers: &Registers,
    ) -> Result<u64, WalkEnd> {
        let near_cfa = |offset| cfa.checked_add_signed(offset).ok_or(WalkEnd::NoRule);
        match saved {
            Saved::Undefined => Err(WalkEnd::NoRule),
            Saved::Same => registers.get(register).ok_or(WalkEnd::NoRule),
            Saved::Register(other) => registers.get(other).ok_or(WalkEnd::NoRule),
            Saved::Is(offset) => near_cfa(offset),
            Saved::At(offset) => {
                let at = near_cfa(offset)?;
                // After a pop, compilers often do not update the rule of a callee-saved
                // register: its slot is then below the stack pointer and was not recorded, and
                // the register holds the value again.
                let sp = registers.get(self.machine.stack_pointer());
                if self.is_exact && register != row.return_address && sp.is_some_and(|sp| at < sp) {
                    return registers.get(register).ok_or(WalkEnd::NoRule);
                }
                (self.word)(at).ok_or(WalkEnd::NotRecorded)
            }
            Saved::AtExpression(place) => {
                let at = self.value_of(row, place, Some(cfa), registers)?;
                (self.word)(at).ok_or(WalkEnd::NotRecorded)
            }
            Saved::IsExpression(place) => self.value_of(row, place, Some(cfa), registers),
        }
    }

    fn value_of(
        &mut self,
        row: &Row,
        place: ExpressionRange,
        first: Option<u64>,
        registers: &Registers,
    ) -> Result<u64, WalkEnd> {
        *self.fuel = self.fuel.checked_sub(place.len).ok_or(WalkEnd::Limit)?;
        let bytes = self.section.get(place.start..).ok_or(WalkEnd::NoRule)?;
        let bytes = bytes.get(..place.len).ok_or(WalkEnd::NoRule)?;
        let expression = Bytes::new(bytes, gimli::LittleEndian);
        let column = row.return_address;
        evaluate(
            expression,
            row.encoding,
            first,
            registers,
            column,
            self.word,
        )
        .ok_or(WalkEnd::NoRule)
    }
}
