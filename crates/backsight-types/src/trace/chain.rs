//! Call chains: addresses, and the contexts that they belong to.

use crate::addr::AbsAddr;
use crate::outcome::Lookup;

/// The context of an address: which code it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Context {
    /// User code of the process.
    #[default]
    User,
    /// The kernel.
    Kernel,
    /// The hypervisor.
    Hypervisor,
    /// The kernel of a guest, whose addresses cannot be resolved on this host.
    GuestKernel,
    /// A program in a guest.
    GuestUser,
    /// The recording does not say it: user or kernel, decided by the address.
    Unknown,
}

/// One entry of a call chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// The address as captured.
    pub addr: AbsAddr,
    /// How to look it up. The first entry of each context is a program counter, the
    /// others are return addresses.
    pub lookup: Lookup,
    /// Its context.
    pub context: Context,
}

/// Markers among the addresses of a chain, which set the context of the following ones:
/// `PERF_CONTEXT_*`.
pub mod marker {
    /// The lowest value of a marker. All addresses are lower.
    pub const LOWEST: u64 = (-4095_i64).cast_unsigned();
    /// The user part of the chain follows.
    pub const USER: u64 = (-512_i64).cast_unsigned();
    /// The user part is recorded later, when the thread returns to user code, in a
    /// separate record with the number that follows the marker. Since Linux 6.19.
    pub const USER_DEFERRED: u64 = (-640_i64).cast_unsigned();
}

impl Context {
    #[inline]
    pub(crate) fn of_marker(marker: u64) -> Self {
        match marker.cast_signed() {
            -32 => Self::Hypervisor,
            -128 => Self::Kernel,
            // Before Linux 2.6.36, all guest addresses had this marker.
            -2048 | -2176 => Self::GuestKernel,
            -2560 => Self::GuestUser,
            -512 => Self::User,
            _ => Self::Unknown,
        }
    }

    /// Returns the context in the `misc` field of a record's header:
    /// `PERF_RECORD_MISC_CPUMODE_MASK`.
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
