//! The addresses of a block that have no outcome yet.

use backsight_types::{AbsAddr, Outcome};

use crate::span::PENDING;

/// The maximum number of addresses that are looked up at once.
pub(crate) const BLOCK: usize = 512;

/// Positions in a block of addresses. The caller keeps their number, so that it stays in
/// a register in the loops that record them.
pub(crate) struct Missed([u16; BLOCK]);

#[expect(
    clippy::indexing_slicing,
    reason = "the index is reduced modulo the length; `get` costs a tenth of the loops"
)]
impl Missed {
    pub(crate) const fn new() -> Self {
        Self([0; BLOCK])
    }

    /// Writes `at` after `count` other positions. Branch-free append: the caller always
    /// writes, and increases the count only if the address is pending.
    #[inline]
    pub(crate) fn put(&mut self, count: usize, at: u16) {
        self.0[count % BLOCK] = at;
    }

    /// Returns the recorded position number `nth`, counted from 0.
    #[inline]
    pub(crate) fn at(&self, nth: usize) -> u16 {
        self.0[nth % BLOCK]
    }

    /// Appends [`PENDING`] for each address, and records all positions. Returns their
    /// number.
    pub(crate) fn all(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> usize {
        outcomes.resize(outcomes.len().saturating_add(addrs.len()), PENDING);
        for (missed, at) in self.0.iter_mut().zip(0..) {
            *missed = at;
        }
        addrs.len().min(BLOCK)
    }
}
