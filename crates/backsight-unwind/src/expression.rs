//! Expressions of the CFI: short programs for a stack machine.
//!
//! Compilers write few: the PLT has one, signal trampolines have one for each register.
//! All go forwards, so they take no more steps than they have bytes. A hostile one can jump
//! to itself: it is given as many steps as it has bytes, and then has no value. So the fuel
//! of a walk can be counted in bytes.

use gimli::{EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location, Register, Value};

use crate::registers::Registers;

pub(crate) type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// No expression is longer. The longest that was met has 21 bytes.
pub(crate) const MAX_LEN: usize = 256;

/// Evaluates an expression. `first` is what its stack begins with: the canonical frame
/// address (CFA) in rules for registers. `None` when it has no value, or comes to none in
/// as many steps as it has bytes.
pub(crate) fn evaluate(
    expression: Bytes<'_>,
    encoding: gimli::Encoding,
    first: Option<u64>,
    registers: &Registers,
    return_address: u16,
    word: &mut dyn FnMut(u64) -> Option<u64>,
) -> Option<u64> {
    if expression.len() > MAX_LEN {
        return None;
    }
    let steps = u32::try_from(expression.len()).ok()?;
    let mut evaluation = Evaluation::new(expression, encoding);
    evaluation.set_max_iterations(steps);
    if let Some(first) = first {
        evaluation.set_initial_value(first);
    }
    let mut result = evaluation.evaluate().ok()?;
    loop {
        result = match result {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = match register {
                    // The columns of x86 that stand for the program counter.
                    Register(number) if number == return_address && matches!(number, 8 | 16) => {
                        registers.pc
                    }
                    Register(number) => registers.get(number)?,
                };
                evaluation
                    .resume_with_register(Value::Generic(value))
                    .ok()?
            }
            EvaluationResult::RequiresMemory {
                address,
                size,
                space: None,
                ..
            } => {
                let mask = match size {
                    8 => u64::MAX,
                    1..=7 => 1_u64
                        .checked_shl(u32::from(size).checked_mul(8)?)?
                        .checked_sub(1)?,
                    _ => return None,
                };
                let value = word(address)? & mask;
                evaluation.resume_with_memory(Value::Generic(value)).ok()?
            }
            _ => return None,
        };
    }
    match evaluation.as_result().last()?.location {
        Location::Address { address } => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, MAX_LEN, evaluate};
    use crate::registers::Registers;
    use gimli::{Encoding, EndianSlice, Format, LittleEndian};

    const ENCODING: Encoding = Encoding {
        address_size: 8,
        format: Format::Dwarf32,
        version: 1,
    };

    fn bytes(bytes: &[u8]) -> Bytes<'_> {
        EndianSlice::new(bytes, LittleEndian)
    }

    #[test]
    fn the_plt_s_expression_gives_its_frame() {
        // breg7 8, breg16 0, lit15, and, lit11, ge, lit3, shl, plus: what linkers write.
        let plt = bytes(&[0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22]);
        for (pc, want) in [(0x1000, 0x7008), (0x100b, 0x7010), (0x101a, 0x7008)] {
            let mut registers = Registers::at(pc);
            registers.set(7, Some(0x7000));
            let got = evaluate(plt, ENCODING, None, &registers, 16, &mut |_| None);
            assert_eq!(got, Some(want), "at {pc:#x}");
        }
    }

    #[test]
    fn memory_is_read_in_its_size() {
        let mut registers = Registers::at(0);
        registers.set(6, Some(0x7010));
        let mut word = |addr| (addr == 0x7008).then_some(0x1122_3344_5566_7788);
        // breg6 -8, deref; and with deref_size 2.
        for (expression, want) in [
            (&[0x76, 0x78, 0x06][..], Some(0x1122_3344_5566_7788)),
            (&[0x76, 0x78, 0x94, 2], Some(0x7788)),
            // Elsewhere nothing is known; nor is register 3.
            (&[0x76, 0, 0x06], None),
            (&[0x73, 0], None),
        ] {
            let got = evaluate(bytes(expression), ENCODING, None, &registers, 16, &mut word);
            assert_eq!(got, want, "{expression:x?}");
        }
        // plus_uconst 8 on what the stack begins with.
        let plus = bytes(&[0x23, 8]);
        let got = evaluate(plus, ENCODING, Some(0x7000), &registers, 16, &mut word);
        assert_eq!(got, Some(0x7008));
    }

    #[test]
    fn what_would_run_for_ever_has_no_value() {
        let registers = Registers::at(0);
        let value = |expression| {
            evaluate(
                bytes(expression),
                ENCODING,
                Some(1),
                &registers,
                16,
                &mut |_| None,
            )
        };
        for hostile in [
            // skip -3: to itself.
            &[0x2f, 0xfd, 0xff][..],
            // lit1, bra -4.
            &[0x31, 0x28, 0xfc, 0xff],
            // skip 1 into a const2u, whose operand is a skip -3.
            &[0x2f, 1, 0, 0x0a, 0x2f, 0xfd, 0xff],
            // Cut within an operand, and no operation at all.
            &[0x2f, 0],
            &[0xff],
        ] {
            assert_eq!(value(hostile), None, "{hostile:x?}");
        }
        assert_eq!(value(&[0x31; MAX_LEN]), Some(1));
        assert_eq!(value(&[0x31; MAX_LEN + 1]), None);
        // Forwards: skip 1 over a lit1.
        assert_eq!(value(&[0x2f, 1, 0, 0x31, 0x32]), Some(2));
        // Nothing at all leaves what the stack begins with.
        assert_eq!(value(&[]), Some(1));
    }

    #[test]
    fn numbers_wrap_and_divisions_by_zero_have_no_value() {
        let registers = Registers::at(0);
        let mut word = |_| None;
        // const8u max, lit2, mul; const8s min, const1s -1, div; lit1, lit0, div and mod.
        let max = [0x0e, 255, 255, 255, 255, 255, 255, 255, 255, 0x32, 0x1e];
        let min = [0x0f, 0, 0, 0, 0, 0, 0, 0, 128, 0x09, 255, 0x1b];
        for expression in [&max[..], &min, &[0x31, 0x30, 0x1b], &[0x31, 0x30, 0x1d]] {
            let _ = evaluate(bytes(expression), ENCODING, None, &registers, 16, &mut word);
        }
        let zero = bytes(&[0x31, 0x30, 0x1b]);
        let got = evaluate(zero, ENCODING, None, &registers, 16, &mut word);
        assert_eq!(got, None);
    }
}
