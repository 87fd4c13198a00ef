//! A range of addresses with one answer.

use backsight_types::{AbsAddr, AbsRange, FileOffset, InModule, Outcome, Reason};
use vma_query::Vma;

/// A range of addresses with one answer. It has 32 bytes, so that two fit a cache line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The first address, with the bit [`STALE`] set while the span is stale.
    base: u64,
    /// The size in bytes, also of a stale span.
    size: u64,
    /// The answer for address 0: an address is added to its file offset, wrapping.
    at_zero: Outcome,
}

const _: () = assert!(size_of::<Span>() == 32);

/// Set in the base of a stale span. The base is then above every address, so no address
/// is inside and the fast path needs no second condition. User addresses and sizes are
/// below 2^63.
const STALE: u64 = 1 << 63;

/// The start of the kernel half. With 5-level paging on x86-64 the upper half starts
/// here; on all other 64-bit machines that Linux runs on, it starts above. User memory is
/// never there, so nothing is queried.
pub(crate) const KERNEL: AbsAddr = AbsAddr(0xff00_0000_0000_0000);

/// Spans that end above this address are not cached, as they could not be distinguished
/// from stale ones. No user memory is there; only forged texts have such ranges.
pub(crate) const LIMIT: AbsAddr = AbsAddr(STALE);

/// Placeholder of an address that is not resolved yet. It remains if the process ends
/// during the call.
pub(crate) const PENDING: Outcome = Outcome::Unresolved(Reason::ProcessGone);

/// The number of addresses of a run that are checked before they are answered. They stay
/// in the cache in between.
const RUN_BLOCK: usize = 1024;

/// The number of addresses of a run that are checked one by one.
pub(crate) const NEAR: usize = 8;

impl Span {
    /// Returns the span of `range` whose answer for address 0 is `outcome`.
    #[inline]
    pub(crate) fn of(range: AbsRange, outcome: Outcome) -> Self {
        Self {
            base: range.start.0,
            size: range.size(),
            at_zero: outcome,
        }
    }

    /// Returns the span of a VMA whose first byte has `outcome`.
    #[inline]
    pub(crate) fn of_vma(vma: &Vma, outcome: Outcome) -> Self {
        let at_zero = match outcome {
            Outcome::Located {
                module,
                file_offset,
            } => Outcome::Located {
                module,
                file_offset: FileOffset(file_offset.0.wrapping_sub(vma.start.0)),
            },
            placeless => placeless,
        };
        Self::of(vma.range(), at_zero)
    }

    /// Returns the gap from `start` up to `next`, the next VMA above, or up to the end of
    /// the address space.
    #[inline]
    pub(crate) fn gap(start: AbsAddr, next: Option<Vma>) -> Self {
        let end = if start < LIMIT { LIMIT } else { KERNEL };
        let end = next.map_or(end, |next| next.start.min(end));
        Self::of(
            AbsRange { start, end },
            Outcome::Unresolved(Reason::Unmapped),
        )
    }

    /// Returns whether nothing is mapped there.
    pub(crate) fn is_gap(&self) -> bool {
        self.at_zero == Outcome::Unresolved(Reason::Unmapped)
    }

    /// Returns the first address, valid or stale.
    #[inline]
    pub(crate) fn start(&self) -> AbsAddr {
        AbsAddr(self.base & !STALE)
    }

    /// Returns whether it starts above `addr`. This is always so for a stale one.
    #[inline]
    pub(crate) fn is_above(&self, addr: AbsAddr) -> bool {
        addr.0 < self.base
    }

    /// Returns whether `addr` lies in it, and it is valid.
    #[inline]
    pub(crate) fn contains(&self, addr: AbsAddr) -> bool {
        addr.0.wrapping_sub(self.base) < self.size
    }

    /// Returns whether `addr` lies in it, valid or stale.
    #[inline]
    pub(crate) fn covers(&self, addr: AbsAddr) -> bool {
        addr.0.wrapping_sub(self.base & !STALE) < self.size
    }

    /// Returns the addresses, valid or stale. The end is limited to the address space.
    #[inline]
    pub(crate) fn range(&self) -> AbsRange {
        let start = self.start();
        let end = AbsAddr(start.0.saturating_add(self.size));
        AbsRange { start, end }
    }

    /// Returns whether all of it lies below `other`.
    #[inline]
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.range().end <= other.start()
    }

    /// Marks it stale: no address is inside until it is valid again.
    #[inline]
    pub(crate) fn mark_stale(&mut self) {
        self.base |= STALE;
    }

    /// Returns it as a valid span.
    #[inline]
    pub(crate) const fn revalidated(self) -> Self {
        Self {
            base: self.base & !STALE,
            ..self
        }
    }

    /// Returns the outcome of an address that it contains.
    #[inline]
    pub(crate) fn outcome(&self, addr: AbsAddr) -> Outcome {
        outcome_at(&self.at_zero, addr)
    }

    /// Returns the answer for address 0.
    pub(crate) fn at_zero(&self) -> Outcome {
        self.at_zero
    }

    /// Returns whether it is stale.
    pub(crate) fn is_stale(&self) -> bool {
        self.base & STALE != 0
    }

    /// Returns how many of the first addresses lie in it, at most [`NEAR`]. Most runs of
    /// a stack are so short that checking each address is faster than a search.
    #[inline]
    pub(crate) fn near(&self, addrs: &[AbsAddr]) -> usize {
        let mut near = addrs.iter().take(NEAR);
        let all = near.len();
        near.position(|addr| !self.contains(*addr)).unwrap_or(all)
    }

    /// Returns how many of the first addresses lie in it, if `addrs` are ascending.
    pub(crate) fn run_of(&self, addrs: &[AbsAddr]) -> usize {
        let inside = |addr: &AbsAddr| self.contains(*addr);
        let mut bound = NEAR;
        while addrs.get(bound).is_some_and(inside) {
            bound = bound.saturating_mul(2);
        }
        addrs.get(..bound).unwrap_or(addrs).partition_point(inside)
    }

    /// Appends the outcomes of `addrs` up to the first block that is not completely
    /// inside. Returns how many it appended.
    pub(crate) fn answer_run(&self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> usize {
        let before = outcomes.len();
        for block in addrs.chunks(RUN_BLOCK) {
            if !self.contains_all(block) {
                break;
            }
            match self.at_zero {
                Outcome::Located {
                    module,
                    file_offset,
                } => {
                    let places = InModule::new(module);
                    outcomes.extend(
                        block
                            .iter()
                            .map(|addr| places.at(FileOffset(file_offset.0.wrapping_add(addr.0)))),
                    );
                }
                placeless => {
                    outcomes.extend(block.iter().map(|_| placeless));
                }
            }
        }
        outcomes.len().saturating_sub(before)
    }

    /// Returns whether all addresses lie in it, without a branch for each: for an address
    /// outside, the top bit of its distance from the first byte or to the last byte is
    /// set.
    ///
    /// Not inlined, so that the compiler vectorizes it. The loop that computes the
    /// outcomes is not vectorized, and is faster without it.
    #[inline(never)]
    fn contains_all(&self, addrs: &[AbsAddr]) -> bool {
        let last = self.size.wrapping_sub(1);
        let outside = addrs.iter().fold(0, |outside, addr| {
            let into = addr.0.wrapping_sub(self.base);
            outside | into | last.wrapping_sub(into)
        });
        outside & STALE == 0
    }

    /// Returns an empty span.
    pub(crate) const fn nowhere() -> Self {
        let at_zero = Outcome::Unresolved(Reason::Unmapped);
        Self {
            base: 0,
            size: 0,
            at_zero,
        }
    }

    /// Returns the span from `start` to the last address.
    pub(crate) const fn from(start: AbsAddr, reason: Reason) -> Self {
        let at_zero = Outcome::Unresolved(reason);
        Self {
            base: start.0,
            size: start.0.wrapping_neg(),
            at_zero,
        }
    }
}

/// Returns the outcome of an address by the answer for address 0.
#[inline]
pub(crate) fn outcome_at(at_zero: &Outcome, addr: AbsAddr) -> Outcome {
    match *at_zero {
        Outcome::Located {
            module,
            file_offset,
        } => Outcome::Located {
            module,
            file_offset: FileOffset(file_offset.0.wrapping_add(addr.0)),
        },
        // The variant is rebuilt because then the compiler may write anything after the
        // reason. It writes the sum there, and needs no branch.
        Outcome::Unresolved(reason) => Outcome::Unresolved(reason),
        placeless => placeless,
    }
}
