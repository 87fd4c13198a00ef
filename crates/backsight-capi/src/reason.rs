//! Why an address has no answer, as a number.

use std::ffi::{CStr, c_char};

use backsight_types::Reason;

/// There is an answer, and nothing is missing in it.
pub const BACKSIGHT_REASON_NONE: u32 = 0;
/// A reason that this version has no number for.
pub const BACKSIGHT_REASON_OTHER: u32 = 0xffff;

/// No mapping covers the address.
pub const BACKSIGHT_REASON_UNMAPPED: u32 = 1;
/// The mapping is not executable.
pub const BACKSIGHT_REASON_NOT_EXECUTABLE: u32 = 2;
/// Executable memory without a file, usually just-in-time compiled code.
pub const BACKSIGHT_REASON_ANONYMOUS: u32 = 3;
/// In the vDSO, whose image could not be read or has no symbol there.
pub const BACKSIGHT_REASON_VDSO_NO_SYMBOLS: u32 = 4;
/// In the kernel.
pub const BACKSIGHT_REASON_KERNEL: u32 = 5;
/// The file was deleted or replaced, and can no longer be opened.
pub const BACKSIGHT_REASON_DELETED: u32 = 6;
/// The file cannot be opened or read, or is not an ELF file.
pub const BACKSIGHT_REASON_UNREADABLE: u32 = 7;
/// There is a file at the path, but nothing proves that it is the mapped one.
pub const BACKSIGHT_REASON_IDENTITY_UNPROVEN: u32 = 8;
/// The file has neither a symbol nor debug information for the address.
pub const BACKSIGHT_REASON_NO_SYMBOLS: u32 = 9;
/// Only a file offset is known, and the program headers that convert it are not available.
pub const BACKSIGHT_REASON_NEEDS_PROGRAM_HEADERS: u32 = 10;
/// A limit on memory, depth or work was reached.
pub const BACKSIGHT_REASON_LIMIT: u32 = 11;
/// The process ended before the address was looked up.
pub const BACKSIGHT_REASON_PROCESS_GONE: u32 = 12;
/// In the kernel of a virtual machine, whose mappings are not known.
pub const BACKSIGHT_REASON_GUEST_KERNEL: u32 = 13;
/// In a program that runs in a virtual machine.
pub const BACKSIGHT_REASON_GUEST_USER: u32 = 14;
/// In the hypervisor below the kernel.
pub const BACKSIGHT_REASON_HYPERVISOR: u32 = 15;

/// Every number with its reason and name.
const REASONS: &[(u32, Reason, &CStr)] = &[
    (BACKSIGHT_REASON_UNMAPPED, Reason::Unmapped, c"unmapped"),
    (
        BACKSIGHT_REASON_NOT_EXECUTABLE,
        Reason::NotExecutable,
        c"not-executable",
    ),
    (BACKSIGHT_REASON_ANONYMOUS, Reason::Anonymous, c"anonymous"),
    (
        BACKSIGHT_REASON_VDSO_NO_SYMBOLS,
        Reason::VdsoNoSymbols,
        c"vdso-no-symbols",
    ),
    (BACKSIGHT_REASON_KERNEL, Reason::Kernel, c"kernel"),
    (BACKSIGHT_REASON_DELETED, Reason::Deleted, c"deleted"),
    (
        BACKSIGHT_REASON_UNREADABLE,
        Reason::Unreadable,
        c"unreadable",
    ),
    (
        BACKSIGHT_REASON_IDENTITY_UNPROVEN,
        Reason::IdentityUnproven,
        c"identity-unproven",
    ),
    (
        BACKSIGHT_REASON_NO_SYMBOLS,
        Reason::NoSymbols,
        c"no-symbols",
    ),
    (
        BACKSIGHT_REASON_NEEDS_PROGRAM_HEADERS,
        Reason::NeedsProgramHeaders,
        c"needs-program-headers",
    ),
    (BACKSIGHT_REASON_LIMIT, Reason::Limit, c"limit"),
    (
        BACKSIGHT_REASON_PROCESS_GONE,
        Reason::ProcessGone,
        c"process-gone",
    ),
    (
        BACKSIGHT_REASON_GUEST_KERNEL,
        Reason::GuestKernel,
        c"guest-kernel",
    ),
    (
        BACKSIGHT_REASON_GUEST_USER,
        Reason::GuestUser,
        c"guest-user",
    ),
    (
        BACKSIGHT_REASON_HYPERVISOR,
        Reason::Hypervisor,
        c"hypervisor",
    ),
];

/// Returns the number of a reason.
pub(crate) fn number_of(reason: Option<Reason>) -> u32 {
    let Some(reason) = reason else {
        return BACKSIGHT_REASON_NONE;
    };
    let known = REASONS.iter().find(|(_, it, _)| *it == reason);
    known.map_or(BACKSIGHT_REASON_OTHER, |(number, ..)| *number)
}

/// Returns the name of a reason as the command prints it, such as `"unmapped"`; `""` for
/// `BACKSIGHT_REASON_NONE`, and `"unknown"` for other numbers. The text is always there.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_reason_name(reason: u32) -> *const c_char {
    let known = REASONS.iter().find(|(number, ..)| *number == reason);
    let otherwise = match reason {
        BACKSIGHT_REASON_NONE => c"",
        _ => c"unknown",
    };
    known.map_or(otherwise, |(.., name)| name).as_ptr()
}

#[cfg(test)]
mod tests {
    use backsight_types::Reason;

    use super::{BACKSIGHT_REASON_NONE, BACKSIGHT_REASON_OTHER, REASONS, number_of};

    #[test]
    fn each_reason_has_a_number_and_its_own_name() {
        assert_eq!(number_of(None), BACKSIGHT_REASON_NONE);
        for reason in Reason::ALL {
            let number = number_of(Some(reason));
            assert_ne!(number, BACKSIGHT_REASON_OTHER, "{reason} wants a number");
            let (.., name) = REASONS.iter().find(|(it, ..)| *it == number).unwrap();
            assert_eq!(name.to_str(), Ok(reason.as_str()));
        }
        assert_eq!(REASONS.len(), Reason::ALL.len());
        assert!((1..).zip(REASONS).all(|(at, (number, ..))| at == *number));
    }
}
