//! Captured addresses without the markers of a call chain.

use crate::addr::AbsAddr;

/// Addresses that were captured together, usually one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedAddrs {
    /// The time in nanoseconds, on the clock of the records.
    pub time_ns: u64,
    /// The process ID.
    pub pid: u32,
    /// The addresses, in any order.
    pub addrs: Vec<AbsAddr>,
}
