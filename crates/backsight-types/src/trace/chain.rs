//! Call chains: addresses, and whose code they belong to.

use crate::addr::AbsAddr;
use crate::outcome::Lookup;

/// Whose code an address belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Context {
    /// The process.
    #[default]
    User,
    /// The kernel.
    Kernel,
    /// The hypervisor.
    Hypervisor,
    /// The kernel of a guest, whose addresses mean nothing here.
    GuestKernel,
    /// A program in a guest.
    GuestUser,
    /// Nothing says whose: the process's or the kernel's, as the address tells.
    Unknown,
}

/// One entry of a call chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// The address as captured.
    pub addr: AbsAddr,
    /// How it is to be looked up. The first of each context is where that code stood;
    /// the others are where calls return to.
    pub lookup: Lookup,
    /// Whose code it is.
    pub context: Context,
}

/// What stands among the addresses of a chain as the kernel writes it, and names whose the
/// next ones are: `PERF_CONTEXT_*`.
pub mod marker {
    /// No address is so high; every marker is at least that.
    pub const LOWEST: u64 = (-4095_i64).cast_unsigned();
    /// The user's part of the chain follows.
    pub const USER: u64 = (-512_i64).cast_unsigned();
    /// The user's part is taken when the thread comes back to its own code, in a record
    /// that names the number which follows. Since Linux 6.19.
    pub const USER_DEFERRED: u64 = (-640_i64).cast_unsigned();
}

impl Context {
    #[inline]
    pub(crate) fn of_marker(marker: u64) -> Self {
        match marker.cast_signed() {
            -32 => Self::Hypervisor,
            -128 => Self::Kernel,
            // Before Linux 2.6.36 guests had no other.
            -2048 | -2176 => Self::GuestKernel,
            -2560 => Self::GuestUser,
            -512 => Self::User,
            _ => Self::Unknown,
        }
    }

    /// Reads the `misc` field of a record's header: `PERF_RECORD_MISC_CPUMODE_MASK`.
    #[must_use]
    #[inline]
    pub fn of_misc(misc: u16) -> Self {
        match misc & 7 {
            1 => Self::Kernel,
            3 => Self::Hypervisor,
            2 => Self::User,
            4 => Self::GuestKernel,
            5 => Self::GuestUser,
            _ => Self::Unknown,
        }
    }
}
