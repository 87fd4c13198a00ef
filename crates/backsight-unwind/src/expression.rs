//! DWARF expressions in the CFI: short programs for a stack machine.
//!
//! Compilers emit few of them: one for the PLT, and one for each register in signal trampolines.
//! All of these only jump forwards, so they execute at most as many steps as they have bytes. A
//! malicious expression may loop, so evaluation stops after that many steps, without a value.
//! This also allows the work of a walk to be bounded in bytes of expressions.

use gimli::{EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location, Register, Value};

use crate::registers::Registers;

pub(crate) type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// Longer expressions are not evaluated. The longest one seen has 21 bytes.
pub(crate) const MAX_EXPRESSION_BYTES: usize = 256;

/// Evaluates an expression. `first` is the initial value on its stack: the canonical frame
/// address (CFA) in register rules. Returns `None` if it has no value, or does not end in as
/// many steps as it has bytes.
pub(crate) fn evaluate(
    expression: Bytes<'_>,
    encoding: gimli::Encoding,
    first: Option<u64>,
    registers: &Registers,
    return_address: u16,
    word: &mut dyn FnMut(u64) -> Option<u64>,
) -> Option<u64> {
    if expression.len() > MAX_EXPRESSION_BYTES {
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
                    // The column that represents the program counter on x86.
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
    use super::{Bytes, MAX_EXPRESSION_BYTES, evaluate};
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
        // The expression that linkers write: breg7 8, breg16 0, lit15, and, lit11, ge, lit3,
        // shl, plus.
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
            // Other memory, and register 3, are not known.
            (&[0x76, 0, 0x06], None),
            (&[0x73, 0], None),
        ] {
            let got = evaluate(bytes(expression), ENCODING, None, &registers, 16, &mut word);
            assert_eq!(got, want, "{expression:x?}");
        }
        // plus_uconst 8 on the initial value.
        let plus = bytes(&[0x23, 8]);
        let got = evaluate(plus, ENCODING, Some(0x7000), &registers, 16, &mut word);
        assert_eq!(got, Some(0x7008));
    }

    #[test]
    fn an_endless_expression_has_no_value() {
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
            // skip -3: jumps to itself.
            &[0x2f, 0xfd, 0xff][..],
            // lit1, bra -4.
            &[0x31, 0x28, 0xfc, 0xff],
            // skip 1 into a const2u, whose operand is a skip -3.
            &[0x2f, 1, 0, 0x0a, 0x2f, 0xfd, 0xff],
            // Cut within an operand, and an unknown operation.
            &[0x2f, 0],
            &[0xff],
        ] {
            assert_eq!(value(hostile), None, "{hostile:x?}");
        }
        assert_eq!(value(&[0x31; MAX_EXPRESSION_BYTES]), Some(1));
        assert_eq!(value(&[0x31; MAX_EXPRESSION_BYTES + 1]), None);
        // A jump forwards: skip 1 over a lit1.
        assert_eq!(value(&[0x2f, 1, 0, 0x31, 0x32]), Some(2));
        // An empty expression leaves the initial value.
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
