//! Why an address, or a module, has no answer.

use std::str::FromStr;
use std::{error, fmt};

/// Why an address, or a module, has no answer. The names are part of the
/// NDJSON format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Reason {
    /// No VMA covers the address.
    Unmapped,
    /// The VMA that covers the address is not executable.
    NotExecutable,
    /// Executable memory without a file, usually just-in-time compiled code.
    Anonymous,
    /// In the vDSO, whose image could not be read.
    VdsoNoSymbols,
    /// In the kernel, according to the recording, or else because the address is in the
    /// kernel half.
    Kernel,
    /// The file was deleted or replaced, and can no longer be opened.
    Deleted,
    /// The file cannot be opened or read, or is not an ELF file.
    Unreadable,
    /// There is a file at the path, but nothing proves that it is the mapped one.
    IdentityUnproven,
    /// The file has neither a symbol nor debug information for the address.
    NoSymbols,
    /// Only a file offset was given, and the program headers that convert it to a virtual
    /// offset are not available.
    NeedsProgramHeaders,
    /// A limit on memory, depth or work was reached.
    Limit,
    /// The process ended before the address was looked up.
    ProcessGone,
    /// In the kernel of a virtual machine, whose mappings are not known.
    GuestKernel,
    /// In a program that runs in a virtual machine.
    GuestUser,
    /// In the hypervisor below the kernel.
    Hypervisor,
}

impl Reason {
    /// Every reason, in the order of the variants.
    pub const ALL: [Self; 15] = [
        Self::Unmapped,
        Self::NotExecutable,
        Self::Anonymous,
        Self::VdsoNoSymbols,
        Self::Kernel,
        Self::Deleted,
        Self::Unreadable,
        Self::IdentityUnproven,
        Self::NoSymbols,
        Self::NeedsProgramHeaders,
        Self::Limit,
        Self::ProcessGone,
        Self::GuestKernel,
        Self::GuestUser,
        Self::Hypervisor,
    ];

    /// Returns the name that the formats use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::NotExecutable => "not-executable",
            Self::Anonymous => "anonymous",
            Self::VdsoNoSymbols => "vdso-no-symbols",
            Self::Kernel => "kernel",
            Self::Deleted => "deleted",
            Self::Unreadable => "unreadable",
            Self::IdentityUnproven => "identity-unproven",
            Self::NoSymbols => "no-symbols",
            Self::NeedsProgramHeaders => "needs-program-headers",
            Self::Limit => "limit",
            Self::ProcessGone => "process-gone",
            Self::GuestKernel => "guest-kernel",
            Self::GuestUser => "guest-user",
            Self::Hypervisor => "hypervisor",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A reason whose name this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReason(pub String);

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown reason {:?}", self.0)
    }
}

impl error::Error for UnknownReason {}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn reasons_are_read_as_they_are_written() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason), "{reason}");
        }
        assert!("no-reason".parse::<Reason>().is_err());
    }
}
