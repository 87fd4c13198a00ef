//! Register numbers of each supported machine.
//!
//! Numbers are those of DWARF.

/// A machine whose stacks can be unwound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// 32-bit x86.
    X86,
    /// AArch64.
    Aarch64,
}

impl Machine {
    /// Returns the number of the stack pointer.
    #[must_use]
    pub const fn stack_pointer(self) -> u16 {
        match self {
            Self::X86_64 => 7,
            Self::X86 => 4,
            Self::Aarch64 => 31,
        }
    }

    /// Returns the number of the frame pointer, for code that uses one.
    #[must_use]
    pub const fn frame_pointer(self) -> u16 {
        match self {
            Self::X86_64 => 6,
            Self::X86 => 5,
            Self::Aarch64 => 29,
        }
    }

    /// Returns the number of the return address: `x30` on AArch64; on x86 a column that
    /// is not a register but represents the program counter.
    #[must_use]
    pub const fn return_address(self) -> u16 {
        match self {
            Self::X86_64 => 16,
            Self::X86 => 8,
            Self::Aarch64 => 30,
        }
    }

    /// Returns the size of an address and of a stack word, in bytes.
    #[must_use]
    pub const fn word_size(self) -> u8 {
        match self {
            Self::X86 => 4,
            Self::X86_64 | Self::Aarch64 => 8,
        }
    }

    /// Returns whether a register is callee-saved.
    pub(crate) const fn is_callee_saved(self, register: u16) -> bool {
        match self {
            Self::X86_64 => matches!(register, 3 | 6 | 12..=15),
            Self::X86 => matches!(register, 3 | 5..=7),
            Self::Aarch64 => matches!(register, 19..=29),
        }
    }
}
