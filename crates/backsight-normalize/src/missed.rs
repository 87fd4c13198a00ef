//! Which addresses of a block have no outcome yet.

use backsight_types::{AbsAddr, Outcome};

use crate::span::PENDING;

/// At most so many addresses are looked up at once.
pub(crate) const BLOCK: usize = 512;

/// Places in a block of addresses. How many count, the caller keeps: in the loops that
/// note them that number stays in a register.
pub(crate) struct Missed([u16; BLOCK]);

#[expect(
    clippy::indexing_slicing,
    reason = "a remainder of the length; a `get` costs a tenth of those loops"
)]
impl Missed {
    pub(crate) const fn new() -> Self {
        Self([0; BLOCK])
    }

    /// Notes `at` as the one behind `count` others. To note and not to count it says that
    /// it is none, without a branch.
    #[inline]
    pub(crate) fn put(&mut self, count: usize, at: u16) {
        self.0[count % BLOCK] = at;
    }

    /// Returns the place that was noted behind `nth` others.
    #[inline]
    pub(crate) fn at(&self, nth: usize) -> u16 {
        self.0[nth % BLOCK]
    }

    /// Appends [`PENDING`] for each address, and notes them all. Returns how many they are.
    pub(crate) fn all(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> usize {
        outcomes.resize(outcomes.len().saturating_add(addrs.len()), PENDING);
        for (missed, at) in self.0.iter_mut().zip(0..) {
            *missed = at;
        }
        addrs.len().min(BLOCK)
    }
}
