//! Why an address, or a module, has no answer.

use std::fmt;
use std::str::FromStr;

/// Why an address, or a module, has no answer. The names are part of the
/// NDJSON format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Reason {
    /// No VMA covers the address.
    Unmapped,
    /// The VMA that covers it does not allow execution.
    NotExecutable,
    /// Executable memory without a file: just-in-time compiled code, most often.
    Anonymous,
    /// In the vDSO, whose image could not be read or has no symbol there.
    VdsoNoSymbols,
    /// In the kernel: by what a recording says of it, else in the kernel's half of the
    /// address space.
    Kernel,
    /// The file was deleted or replaced, and cannot be reached any more.
    Deleted,
    /// The file cannot be opened or read, or is not an ELF file.
    Unreadable,
    /// A file stands under the path, but nothing proves that it is the mapped one.
    IdentityUnproven,
    /// The file has no symbol and no debug information for it.
    NoSymbols,
    /// A file offset alone was given, and the program headers that turn it into
    /// a virtual offset are not at hand.
    NeedsProgramHeaders,
    /// A limit on memory, depth or work was reached.
    Limit,
    /// The process ended before its turn.
    ProcessGone,
    /// In a virtual machine's kernel, whose mappings are not known.
    GuestKernel,
    /// In a program that runs in a virtual machine.
    GuestUser,
    /// In the hypervisor below the kernel.
    Hypervisor,
}

impl Reason {
    /// Every reason, in the order of the documentation.
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason {0:?}")]
pub struct UnknownReason(pub String);

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
