//! Instructions of ARM with 64 bits.

use backsight_types::VirtOffset;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{self, Operand, ShiftStyle, SizeCode};

use crate::instruction::Instruction;

/// Returns the first instruction of code that is not empty.
pub(crate) fn first(code: &[u8], address: u64) -> Instruction {
    let decoder = a64::InstDecoder::default();
    let Ok(mut decoded) = decoder.decode(&mut U8Reader::new(code)) else {
        return none(code, address);
    };
    mend(&mut decoded, code);
    let is_page = decoded.opcode == a64::Opcode::ADRP;
    let base = match is_page {
        true => address & !0xfff,
        false => address,
    };
    let offset = decoded.operands.iter().find_map(|operand| match operand {
        Operand::PCOffset(offset) => Some(*offset),
        _ => None,
    });
    let place = offset.map(|offset| base.wrapping_add_signed(offset));
    let is_branch = matches!(
        decoded.opcode,
        a64::Opcode::B
            | a64::Opcode::BL
            | a64::Opcode::Bcc(_)
            | a64::Opcode::CBZ
            | a64::Opcode::CBNZ
            | a64::Opcode::TBZ
            | a64::Opcode::TBNZ
    );
    Instruction {
        address: VirtOffset(address),
        size: 4,
        text: with_place(&decoded.to_string(), place),
        target: place.filter(|_| is_branch).map(VirtOffset),
        is_valid: true,
    }
}

/// Mends operands that the decoder reads wrongly: its text would be that of another instruction.
fn mend(decoded: &mut a64::Instruction, code: &[u8]) {
    let Some(word) = code.first_chunk().map(|word| u32::from_le_bytes(*word)) else {
        return;
    };
    let register = |at: u32| u16::try_from((word >> at) & 0x1f).unwrap_or_default();
    let [first, second, third, _] = &mut decoded.operands;
    // `add x2, x28, w27, uxtw #2`: sums and differences with an extended register. The decoder
    // has `lsl` for `uxtw` also where the sum has 64 bits, so that the extension is lost.
    let is_extended = word & 0x1fe0_0000 == 0x0b20_0000;
    let (has_64_bits, is_uxtw) = (word >> 31 == 1, (word >> 13) & 7 == 2);
    if is_extended && has_64_bits && is_uxtw {
        let amount = u8::try_from((word >> 10) & 7).unwrap_or_default();
        *third = Operand::RegShift(ShiftStyle::UXTW, amount, SizeCode::W, register(16));
    }
    // `msr fpcr, x22`: the decoder takes four of the five bits of the register.
    let is_msr = word & 0xfff0_0000 == 0xd510_0000;
    if is_msr && matches!(first, Operand::SystemReg(_)) {
        *second = Operand::Register(SizeCode::X, register(0));
    }
}

/// The bytes of a word that is no instruction, or of one that is cut off.
fn none(code: &[u8], address: u64) -> Instruction {
    let word = code.get(..4).unwrap_or(code);
    let digits: String = word
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Instruction {
        address: VirtOffset(address),
        size: u8::try_from(word.len()).unwrap_or(4),
        text: format!(".inst 0x{digits}"),
        target: None,
        is_valid: false,
    }
}

/// Writes an absolute address in place of one that counts from the instruction: `$+0x20`.
fn with_place(text: &str, place: Option<u64>) -> String {
    let Some(((before, after), place)) = text.split_once('$').zip(place) else {
        return text.to_owned();
    };
    let after = after.trim_start_matches(['+', '-']);
    let after = after.strip_prefix("0x").unwrap_or(after);
    let rest = after.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
    format!("{before}{place:#x}{rest}")
}
