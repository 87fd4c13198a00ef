//! The machine architecture of an ELF file.

use std::fmt;

/// An ELF `e_machine` number. It is displayed as the name of the machine in Linux, or as
/// `em-N` if the name is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arch(pub u16);

/// `e_machine` numbers of the gABI, and the names that `uname -m` prints.
const NAMES: [(u16, &str); 10] = [
    (3, "i386"),
    (8, "mips"),
    (20, "ppc"),
    (21, "ppc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv"),
    (258, "loongarch"),
];

impl Arch {
    /// Parses a name as [`fmt::Display`] writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let named = NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(number, _)| *number);
        named
            .or_else(|| name.strip_prefix("em-")?.parse().ok())
            .map(Self)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "em-{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arch;

    #[test]
    fn names_are_written_and_read() {
        for arch in [Arch(62), Arch(183), Arch(9999)] {
            assert_eq!(Arch::from_name(&arch.to_string()), Some(arch));
        }
        assert_eq!(Arch(62).to_string(), "x86_64");
        assert_eq!(Arch(9999).to_string(), "em-9999");
        assert_eq!(Arch::from_name("pdp11"), None);
    }
}
