//! What differs between machines: which register is which.
//!
//! Numbers are those of DWARF.

/// A machine whose stacks can be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// The 32 bits of x86.
    X86,
    /// AArch64.
    Aarch64,
}

impl Machine {
    /// Returns the stack pointer.
    #[must_use]
    pub const fn stack_pointer(self) -> u16 {
        match self {
            Self::X86_64 => 7,
            Self::X86 => 4,
            Self::Aarch64 => 31,
        }
    }

    /// Returns the frame pointer of those who use one.
    #[must_use]
    pub const fn frame_pointer(self) -> u16 {
        match self {
            Self::X86_64 => 6,
            Self::X86 => 5,
            Self::Aarch64 => 29,
        }
    }

    /// Returns the register with the return address: `x30`, and on x86 a column without a
    /// register, which stands for the program counter.
    #[must_use]
    pub const fn return_address(self) -> u16 {
        match self {
            Self::X86_64 => 16,
            Self::X86 => 8,
            Self::Aarch64 => 30,
        }
    }

    /// Returns how many bytes an address has, and a word of the stack.
    #[must_use]
    pub const fn word_size(self) -> u8 {
        match self {
            Self::X86 => 4,
            Self::X86_64 | Self::Aarch64 => 8,
        }
    }

    /// Returns whether a called function hands a register back as it was.
    pub(crate) const fn is_kept_by_calls(self, register: u16) -> bool {
        match self {
            Self::X86_64 => matches!(register, 3 | 6 | 12..=15),
            Self::X86 => matches!(register, 3 | 5..=7),
            Self::Aarch64 => matches!(register, 19..=29),
        }
    }
}
