//! The part of an exact index that maps an address to the number of its answer.

use backsight_types::AbsAddr;

/// log2 of the page size: that of the processor, as the kernel maps whole pages. A forged
/// trace may map parts of pages; such pages have no answer.
pub(crate) const PAGE_SHIFT: u32 = 12;

/// Maps addresses to the numbers of their answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'i> {
    /// The number of the first page.
    pub(crate) first: u64,
    /// For each page the number of its answer.
    pub(crate) slots: &'i [u16],
}

impl Numbers<'_> {
    /// Returns the number of the answer for `addr`, or 0 if it has none.
    #[inline]
    pub(crate) fn of(self, addr: AbsAddr) -> u16 {
        let page = addr.0.wrapping_shr(PAGE_SHIFT);
        let slot = usize::try_from(page.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        self.slots.get(slot).copied().unwrap_or_default()
    }
}
