//! The last branches that the processor took, from its branch records (LBR).
//!
//! In call-stack mode (`perf record --call-graph lbr`), the processor removes a call when
//! it returns. So the entries are the stack of the user code: each is a call, with the
//! address of the call and the address of the called function.
//!
//! ```text
//!   entry 0:  from main+8    to leaf        chain:  leaf, main+8, start+4
//!   entry 1:  from start+4   to main
//! ```
//!
//! Source: `struct perf_branch_entry` in `include/uapi/linux/perf_event.h`;
//! `resolve_lbr_callchain_sample` in `tools/perf/util/machine.c`.

use crate::addr::AbsAddr;
use crate::trace::byte_order::{ByteOrder, Words};

/// The branches of a sample, the latest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Branches<'a> {
    bytes: &'a [u8],
    are_calls: bool,
    order: ByteOrder,
}

impl<'a> Branches<'a> {
    /// The size of `struct perf_branch_entry`: from, to, and flags.
    pub const ENTRY_SIZE: u64 = 24;

    /// Returns branches from entries of that size, the latest first. `are_calls` says
    /// whether they are calls that have not returned.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], are_calls: bool, order: ByteOrder) -> Self {
        Self {
            bytes,
            are_calls,
            order,
        }
    }

    /// Returns whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns whether they are calls that have not returned, which form a stack.
    #[must_use]
    #[inline]
    pub fn are_calls(&self) -> bool {
        self.are_calls
    }

    /// Iterates over the branches as pairs of source and target address.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (AbsAddr, AbsAddr)> + use<'a> {
        let mut at = Words::new(self.bytes, self.order);
        std::iter::from_fn(move || {
            let (from, to) = (at.u64()?, at.u64()?);
            at.u64()?;
            Some((AbsAddr(from), AbsAddr(to)))
        })
    }

    /// Iterates over the stack, innermost first: the last called function, then the
    /// address of each call.
    #[inline]
    pub(crate) fn stack(&self) -> impl Iterator<Item = AbsAddr> + use<'a> {
        let first = self.iter().next().map(|(_, to)| to);
        first.into_iter().chain(self.iter().map(|(from, _)| from))
    }
}
