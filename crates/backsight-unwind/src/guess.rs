//! Guesses the caller if there is no CFI for an address: in code generated at run time, in
//! stubs, and if the file was not found.
//!
//! Code with frame pointers keeps them in a chain: the frame pointer points to the caller's
//! saved frame pointer, and the return address is above it. But the register may hold anything,
//! so that any number on the stack might be taken for a caller. So a guess is accepted only if
//! it leads into executable memory and up the stack.

use crate::code_map::CodeMap;
use crate::end::WalkEnd;
use crate::machine::Machine;
use crate::registers::Registers;

/// Which guess is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstGuess {
    /// The code has set up no frame: it is a stub.
    NoFrame,
    /// The code has set up a frame, or it is unknown. The word at the top of its stack may then be
    /// anything, such as a pointer to a function, or where an earlier call has returned to.
    Frame,
}

/// Returns the caller's registers as guessed.
pub(crate) fn caller(
    machine: Machine,
    first: FirstGuess,
    registers: &Registers,
    code: &CodeMap,
    mask: u64,
    word: &mut dyn FnMut(u64) -> Option<u64>,
) -> Result<Registers, WalkEnd> {
    if first == FirstGuess::NoFrame
        && let Some(caller) = without_frame(machine, registers, code, mask, word)
    {
        return Ok(caller);
    }
    by_frame_pointer(machine, registers, code, mask, word)
}

fn by_frame_pointer(
    machine: Machine,
    registers: &Registers,
    code: &CodeMap,
    mask: u64,
    word: &mut dyn FnMut(u64) -> Option<u64>,
) -> Result<Registers, WalkEnd> {
    let fp = registers
        .get(machine.frame_pointer())
        .ok_or(WalkEnd::NoRule)?;
    if fp == 0 {
        return Err(WalkEnd::Outermost);
    }
    let sp = registers
        .get(machine.stack_pointer())
        .ok_or(WalkEnd::NoRule)?;
    let word_size = u64::from(machine.word_size());
    let above = fp.checked_add(word_size);
    let caller_sp = above.and_then(|above| above.checked_add(word_size));
    let (Some(above), Some(caller_sp)) = (above, caller_sp) else {
        return Err(WalkEnd::NotCode);
    };
    if fp < sp || !fp.is_multiple_of(word_size) {
        return Err(WalkEnd::NotCode);
    }
    let pc = word(above).ok_or(WalkEnd::NotRecorded)? & mask;
    let next = word(fp).ok_or(WalkEnd::NotRecorded)?;
    if pc == 0 {
        return Err(WalkEnd::Outermost);
    }
    if !code.may_return_to(pc) {
        return Err(WalkEnd::NotCode);
    }
    let mut caller = *registers;
    caller.keep_only(|register| machine.is_callee_saved(register));
    caller.pc = pc;
    caller.set(machine.frame_pointer(), Some(next));
    caller.set(machine.stack_pointer(), Some(caller_sp));
    if machine == Machine::Aarch64 {
        caller.set(machine.return_address(), Some(pc));
    }
    Ok(caller)
}

/// Takes the return address from where a call instruction puts it.
fn without_frame(
    machine: Machine,
    registers: &Registers,
    code: &CodeMap,
    mask: u64,
    word: &mut dyn FnMut(u64) -> Option<u64>,
) -> Option<Registers> {
    let sp = registers.get(machine.stack_pointer())?;
    let (pc, caller_sp) = match machine {
        Machine::X86_64 | Machine::X86 => {
            let size = u64::from(machine.word_size());
            (word(sp)?, sp.checked_add(size)?)
        }
        Machine::Aarch64 => (registers.get(machine.return_address())? & mask, sp),
    };
    let mut caller = *registers;
    caller.pc = pc;
    caller.set(machine.stack_pointer(), Some(caller_sp));
    code.may_return_to(pc).then_some(caller)
}
