//! Addresses without a call chain's shape.

use crate::addr::AbsAddr;

/// Addresses that were caught together, most often one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedAddrs {
    /// When, on the clock of the records.
    pub time_ns: u64,
    /// In which process.
    pub pid: u32,
    /// The addresses, in any order.
    pub addrs: Vec<AbsAddr>,
}
