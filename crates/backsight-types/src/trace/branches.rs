//! The branches that the processor took last, as it kept them itself.
//!
//! In call-stack mode (`perf record --call-graph lbr`) it forgets a call when that
//! returns, so that what it keeps is the stack of the user's code: each entry is a call,
//! with where it came from and what it called.
//!
//! ```text
//!   entry 0:  from main+8    to leaf        the chain:  leaf, main+8, start+4
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

    /// Takes entries of that size, the latest first, and whether they are calls that have
    /// not returned.
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

    /// Returns whether they are calls that have not returned, and so a stack.
    #[must_use]
    #[inline]
    pub fn are_calls(&self) -> bool {
        self.are_calls
    }

    /// Walks over them: from where, and to where.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (AbsAddr, AbsAddr)> + use<'a> {
        let mut at = Words::new(self.bytes, self.order);
        std::iter::from_fn(move || {
            let (from, to) = (at.u64()?, at.u64()?);
            at.u64()?;
            Some((AbsAddr(from), AbsAddr(to)))
        })
    }

    /// Walks over the stack that calls are, innermost first: what was called last, then
    /// where each call stands.
    #[inline]
    pub(crate) fn stack(&self) -> impl Iterator<Item = AbsAddr> + use<'a> {
        let first = self.iter().next().map(|(_, to)| to);
        first.into_iter().chain(self.iter().map(|(from, _)| from))
    }
}
