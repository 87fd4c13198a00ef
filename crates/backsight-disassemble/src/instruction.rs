//! An instruction as text.

use backsight_types::VirtOffset;

/// An instruction, or bytes that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instruction {
    /// The address of its first byte.
    pub address: VirtOffset,
    /// Its length in bytes; never 0.
    pub size: u8,
    /// Its text: the operation and its operands, with absolute addresses as targets. An
    /// operand relative to `%rip` is followed by its address: `mov 0x10(%rip),%rax  # 0x1017`. Of
    /// bytes that are no instruction, `(bad)` or `.inst` and the word.
    pub text: String,
    /// Where it jumps to or what it calls, if the instruction says so itself.
    pub target: Option<VirtOffset>,
    /// Whether the bytes are an instruction.
    pub is_valid: bool,
}
