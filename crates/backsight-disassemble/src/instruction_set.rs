//! The machines whose instructions are known.

use std::fmt;

use backsight_types::Arch;

/// A set of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstructionSet {
    /// x86 with 64 bits.
    X86_64,
    /// x86 with 32 bits.
    X86,
    /// ARM with 64 bits (A64).
    Aarch64,
}

impl InstructionSet {
    /// Returns the machine of an ELF file; `None` for one that is not known here.
    #[must_use]
    pub fn of_arch(arch: Arch) -> Option<Self> {
        match arch.0 {
            3 => Some(Self::X86),
            62 => Some(Self::X86_64),
            183 => Some(Self::Aarch64),
            _ => None,
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::X86 => "i386",
            Self::Aarch64 => "aarch64",
        })
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::Arch;

    use super::InstructionSet;

    #[test]
    fn machines_have_the_names_of_their_architectures() {
        for name in ["x86_64", "i386", "aarch64"] {
            let arch = Arch::from_name(name).unwrap();
            assert_eq!(InstructionSet::of_arch(arch).unwrap().to_string(), name);
        }
        // ARM with 32 bits, RISC-V.
        assert_eq!(
            [40, 243].map(|it| InstructionSet::of_arch(Arch(it))),
            [None; 2]
        );
    }
}
