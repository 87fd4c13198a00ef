//! A range of addresses with one answer, and how a run of addresses gets it.

use backsight_types::{AbsAddr, AbsRange, FileOffset, Outcome, Reason};
use vma_query::Vma;

/// A range of addresses with one answer. 40 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: AbsAddr,
    /// In bytes; 0 while it is closed.
    size: u64,
    /// In bytes, open or closed.
    pub(crate) whole: u64,
    /// The answer for address 0: an address is added to its file offset, wrapping.
    at_zero: Outcome,
}

/// So many addresses are looked at one by one.
const NEAR: usize = 8;

impl Span {
    /// Returns the span of `range`, whose addresses are all answered by `outcome`.
    pub(crate) fn of(range: AbsRange, outcome: Outcome) -> Self {
        Self {
            start: range.start,
            size: range.size(),
            whole: range.size(),
            at_zero: outcome,
        }
    }

    /// Returns the span of a VMA whose first byte is answered by `outcome`.
    pub(crate) fn of_vma(vma: &Vma, outcome: Outcome) -> Self {
        let at_zero = match outcome {
            Outcome::Located {
                module,
                file_offset,
            } => Outcome::Located {
                module,
                file_offset: FileOffset(file_offset.0.wrapping_sub(vma.start.0)),
            },
            unresolved @ Outcome::Unresolved(_) => unresolved,
        };
        Self::of(vma.range(), at_zero)
    }

    /// Returns whether `addr` lies in it, and it is open.
    #[inline]
    pub(crate) fn contains(&self, addr: AbsAddr) -> bool {
        addr.0.wrapping_sub(self.start.0) < self.size
    }

    /// Returns whether `addr` lies in it, open or closed.
    pub(crate) fn covers(&self, addr: AbsAddr) -> bool {
        addr.0.wrapping_sub(self.start.0) < self.whole
    }

    /// Returns the addresses, open or closed; the last span there can be ends with the
    /// address space.
    pub(crate) fn range(&self) -> AbsRange {
        AbsRange {
            start: self.start,
            end: AbsAddr(self.start.0.saturating_add(self.whole)),
        }
    }

    /// Lets no address fall into it, until it is opened again.
    pub(crate) fn close(&mut self) {
        self.size = 0;
    }

    /// Takes back [`close`](Self::close).
    pub(crate) fn open(&mut self) {
        *self = self.opened();
    }

    /// Returns it open.
    pub(crate) const fn opened(self) -> Self {
        Self {
            size: self.whole,
            ..self
        }
    }

    /// Returns the outcome of an address that it contains.
    #[inline]
    pub(crate) fn outcome(&self, addr: AbsAddr) -> Outcome {
        match self.at_zero {
            Outcome::Located {
                module,
                file_offset,
            } => Outcome::Located {
                module,
                file_offset: FileOffset(file_offset.0.wrapping_add(addr.0)),
            },
            unresolved @ Outcome::Unresolved(_) => unresolved,
        }
    }

    /// Returns the place behind its last byte that `addrs`, if they go up, reach: how
    /// many of them lie in it.
    #[inline]
    pub(crate) fn run_of(&self, addrs: &[AbsAddr]) -> usize {
        let inside = |addr: &AbsAddr| self.contains(*addr);
        // Most runs of a stack are shorter than a search.
        if let Some(near) = addrs.iter().take(NEAR).position(|addr| !inside(addr)) {
            return near;
        }
        let mut bound = NEAR;
        while addrs.get(bound).is_some_and(inside) {
            bound = bound.saturating_mul(2);
        }
        addrs.get(..bound).unwrap_or(addrs).partition_point(inside)
    }

    /// Appends the outcomes of `addrs`; says whether all of them do lie in it.
    ///
    /// Without a branch for each address: what lies outside sets the top bit of one
    /// of the two differences, as user addresses and sizes are below 2^63.
    #[inline]
    pub(crate) fn answer_run(&self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> bool {
        let last = self.size.wrapping_sub(1);
        let mut outside = 0_u64;
        let mut note = |addr: AbsAddr| {
            let into = addr.0.wrapping_sub(self.start.0);
            outside |= into | last.wrapping_sub(into);
        };
        match self.at_zero {
            Outcome::Located {
                module,
                file_offset,
            } => {
                outcomes.extend(addrs.iter().map(|addr| {
                    note(*addr);
                    let file_offset = FileOffset(file_offset.0.wrapping_add(addr.0));
                    Outcome::Located {
                        module,
                        file_offset,
                    }
                }));
            }
            unresolved @ Outcome::Unresolved(_) => {
                outcomes.extend(addrs.iter().map(|addr| {
                    note(*addr);
                    unresolved
                }));
            }
        }
        outside >> 63 == 0
    }

    /// Returns a span that contains nothing.
    pub(crate) const fn nowhere() -> Self {
        let at_zero = Outcome::Unresolved(Reason::Unmapped);
        Self {
            start: AbsAddr(0),
            size: 0,
            whole: 0,
            at_zero,
        }
    }

    /// Returns the span from `start` to the last address there is.
    pub(crate) const fn from(start: AbsAddr, reason: Reason) -> Self {
        let at_zero = Outcome::Unresolved(reason);
        Self {
            start,
            size: start.0.wrapping_neg(),
            whole: start.0.wrapping_neg(),
            at_zero,
        }
    }
}
