//! From an address to the number of its page's answer.

use backsight_types::AbsAddr;

/// The pages that are told apart are the processor's: the kernel maps whole ones. Of what
/// a forged trace maps besides, no page is named that is not all in one span.
pub(crate) const PAGE_SHIFT: u32 = 12;

/// From an address to the number of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'i> {
    /// The number of the first page.
    pub(crate) first: u64,
    /// For each page the number of its answer.
    pub(crate) slots: &'i [u16],
}

impl Numbers<'_> {
    /// Returns 0 for an address that has none.
    #[inline]
    pub(crate) fn of(self, addr: AbsAddr) -> u16 {
        let page = addr.0.wrapping_shr(PAGE_SHIFT);
        let slot = usize::try_from(page.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        self.slots.get(slot).copied().unwrap_or_default()
    }
}
