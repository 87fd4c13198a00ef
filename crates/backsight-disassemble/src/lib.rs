//! Disassembles code: bytes, an address and a machine in, instructions as text out.
//!
//! ```
//! use backsight_disassemble::{InstructionSet, instructions};
//! use backsight_types::VirtOffset;
//!
//! let code = [0x55, 0x48, 0x89, 0xe5, 0xeb, 0xfa];
//! let text: Vec<String> = instructions(&code, VirtOffset(0x1000), InstructionSet::X86_64)
//!     .map(|instruction| format!("{} {}", instruction.address, instruction.text))
//!     .collect();
//! assert_eq!(text, ["0x1000 push %rbp", "0x1001 mov %rsp,%rbp", "0x1004 jmp 0x1000"]);
//! ```
//!
//! The text is in AT&T's syntax for x86, and in ARM's for ARM. Bytes that are no
//! instruction are listed as such ([`Instruction::is_valid`]), and the next ones are read again:
//! after one byte on x86, after one word on ARM. All bytes are in some instruction, but for an
//! instruction that is cut off at the end, which is listed with the bytes that there are.
//!
//! # What it does not do
//!
//! It reads no files, knows no symbols, and follows no jumps: it reads the code from its first
//! byte on, which has to be the first of an instruction. It knows no other machines than those of
//! [`InstructionSet`]: for ARM with 32 bits there is no decoder that withstands all bytes.

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod arm;
mod instruction;
mod instruction_set;
mod x86;

use backsight_types::VirtOffset;

pub use instruction::Instruction;
pub use instruction_set::InstructionSet;

/// Disassembles code, whose first byte is at this address, instruction by instruction.
pub fn instructions(
    code: &[u8],
    address: VirtOffset,
    machine: InstructionSet,
) -> impl Iterator<Item = Instruction> {
    let mut rest = code;
    let mut at = address.0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let found = match machine {
            InstructionSet::X86_64 => x86::first(rest, at, 64),
            InstructionSet::X86 => x86::first(rest, at, 32),
            InstructionSet::Aarch64 => arm::first(rest, at),
        };
        rest = rest
            .get(usize::from(found.size).max(1)..)
            .unwrap_or_default();
        at = at.wrapping_add(u64::from(found.size));
        Some(found)
    })
}

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
