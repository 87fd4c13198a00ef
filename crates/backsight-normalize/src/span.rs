//! A range of addresses with one answer, and how a run of addresses gets it.

use backsight_types::{AbsAddr, AbsRange, FileOffset, InModule, Outcome, Reason};
use vma_query::Vma;

/// A range of addresses with one answer. 32 bytes, so that two share a line of the
/// processor's cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The first address; above all others while it is [`STALE`].
    base: u64,
    /// In bytes, valid or stale.
    size: u64,
    /// The answer for address 0: an address is added to its file offset, wrapping.
    at_zero: Outcome,
}

const _: () = assert!(size_of::<Span>() == 32);

/// Set in the base of a stale span: so far above every address that none falls into
/// it, and the fast way needs no second condition. User addresses and sizes are below
/// 2^63.
const STALE: u64 = 1 << 63;

/// From here on addresses are the kernel's, on every machine that Linux runs on
/// with 64 bits: 5-level paging on x86-64 begins the upper half here, the others
/// above. No user memory is ever there, so nothing is asked.
pub(crate) const KERNEL: AbsAddr = AbsAddr(0xff00_0000_0000_0000);

/// What reaches above is not remembered: no user memory does, only forged texts say so,
/// and a stale span could not be told from it.
pub(crate) const LIMIT: AbsAddr = AbsAddr(STALE);

/// Placeholder of an address not resolved yet; what is left when the process ends on the way.
pub(crate) const PENDING: Outcome = Outcome::Unresolved(Reason::ProcessGone);

/// So many addresses of a run are looked at before they are answered: they stay near.
const RUN_BLOCK: usize = 1024;

/// So many addresses are looked at one by one.
pub(crate) const NEAR: usize = 8;

impl Span {
    /// Returns the span of `range`, whose addresses are all answered by `outcome`.
    #[inline]
    pub(crate) fn of(range: AbsRange, outcome: Outcome) -> Self {
        Self {
            base: range.start.0,
            size: range.size(),
            at_zero: outcome,
        }
    }

    /// Returns the span of a VMA whose first byte is answered by `outcome`.
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

    /// Returns the span without memory from `start` up to `next`, the VMA that the kernel
    /// names when it is asked there, or up to the end.
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

    /// Returns whether it begins above `addr`; a stale one always does.
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

    /// Returns the addresses, valid or stale; the last span there can be ends with the
    /// address space.
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

    /// Lets no address fall into it, until it is valid again.
    #[inline]
    pub(crate) fn mark_stale(&mut self) {
        self.base |= STALE;
    }

    /// Returns it valid again.
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

    /// Returns whether no address falls into it now.
    pub(crate) fn is_stale(&self) -> bool {
        self.base & STALE != 0
    }

    /// Returns how many of the first addresses lie in it, [`NEAR`] at the most. Most runs
    /// of a stack are shorter than a search.
    #[inline]
    pub(crate) fn near(&self, addrs: &[AbsAddr]) -> usize {
        let mut near = addrs.iter().take(NEAR);
        let all = near.len();
        near.position(|addr| !self.contains(*addr)).unwrap_or(all)
    }

    /// Returns the place behind its last byte that `addrs`, if they go up, reach: how
    /// many of them lie in it.
    pub(crate) fn run_of(&self, addrs: &[AbsAddr]) -> usize {
        let inside = |addr: &AbsAddr| self.contains(*addr);
        let mut bound = NEAR;
        while addrs.get(bound).is_some_and(inside) {
            bound = bound.saturating_mul(2);
        }
        addrs.get(..bound).unwrap_or(addrs).partition_point(inside)
    }

    /// Appends the outcomes of `addrs` up to the first block of which not all lie in it.
    /// Returns how many it answered.
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

    /// Returns whether all of them lie in it, without a branch for each: what lies outside
    /// leaves the top bit set, in its distance from the first byte or to the last one.
    ///
    /// On its own, so that the compiler takes several at once. The answers' loop, which
    /// does not do so, is better off without it.
    #[inline(never)]
    fn contains_all(&self, addrs: &[AbsAddr]) -> bool {
        let last = self.size.wrapping_sub(1);
        let outside = addrs.iter().fold(0, |outside, addr| {
            let into = addr.0.wrapping_sub(self.base);
            outside | into | last.wrapping_sub(into)
        });
        outside & STALE == 0
    }

    /// Returns a span that contains nothing.
    pub(crate) const fn nowhere() -> Self {
        let at_zero = Outcome::Unresolved(Reason::Unmapped);
        Self {
            base: 0,
            size: 0,
            at_zero,
        }
    }

    /// Returns the span from `start` to the last address there is.
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
        // Taken apart, so that nothing is said of the word behind the reason: the
        // compiler may then write the sum there, and needs no branch.
        Outcome::Unresolved(reason) => Outcome::Unresolved(reason),
        placeless => placeless,
    }
}
