//! Instructions of x86.

use backsight_types::VirtOffset;
use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter, OpKind};

use crate::instruction::Instruction;

/// Returns the first instruction of code that is not empty.
pub(crate) fn first(code: &[u8], address: u64, bits: u32) -> Instruction {
    let mut decoder = Decoder::with_ip(bits, code, address, DecoderOptions::NONE);
    let decoded = decoder.decode();
    if decoded.is_invalid() {
        return Instruction {
            address: VirtOffset(address),
            size: 1,
            text: "(bad)".to_owned(),
            target: None,
            is_valid: false,
        };
    }
    let mut formatter = GasFormatter::new();
    let options = formatter.options_mut();
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_rip_relative_addresses(true);
    options.set_small_hex_numbers_in_decimal(false);
    options.set_first_operand_char_index(0);
    let mut text = String::new();
    formatter.format(&decoded, &mut text);
    if decoded.is_ip_rel_memory_operand() {
        // The operand counts from the next instruction; as objdump does, say the address, too.
        let place = decoded.ip_rel_memory_address();
        text.push_str(&format!("  # {place:#x}"));
    }
    let is_direct = matches!(
        decoded.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    );
    Instruction {
        address: VirtOffset(address),
        size: u8::try_from(decoded.len()).unwrap_or(u8::MAX).max(1),
        text,
        target: is_direct.then(|| VirtOffset(decoded.near_branch_target())),
        is_valid: true,
    }
}
