//! What is known of an address space: which answer holds where.
//!
//! Each [`Span`] is a range of addresses with one answer: a VMA that was met, or a
//! gap that was proven. They lie disjoint and sorted, so a lookup is a bisection;
//! [`PageIndex`](crate::page_index::PageIndex) stands in front of it for batches
//! that jump about.
//!
//! A session that re-checks what it knows *closes* its spans between two calls: a
//! closed span has no size, so that no address falls into it, and the slow way asks
//! the kernel once and opens it again. So the fast way looks at nothing else.

use backsight_types::{AbsAddr, AbsRange};
use vma_query::Vma;

use crate::page_index::{PageIndex, View};
use crate::span::{NOT_KEPT, Span};

/// What a span must be compared with before it is opened again.
#[derive(Clone, Copy, Debug)]
struct Known {
    size: u64,
    /// `None` for a gap.
    vma: Option<Vma>,
}

/// How long what was found stays true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// For one call: nothing is kept that a later call would need.
    Call,
    /// Until it is asked about again, once in each call.
    Recheck,
    /// Until the caller says otherwise.
    Trust,
}

/// Where a lookup found something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// It holds.
    Open(Span),
    /// It held in an earlier call. The VMA, or `None` for a gap.
    Closed(Slot, Option<Vma>),
    /// Nothing is known there.
    Nothing,
}

/// A span's place, good until the next change of the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    fresh: bool,
    at: usize,
}

/// All spans of one address space.
#[derive(Debug)]
pub(crate) struct VmaCache {
    lifetime: Lifetime,
    /// Sorted, disjoint.
    spans: Vec<Span>,
    /// As `spans`, and disjoint with them: what came lately, out of order. Merged
    /// into `spans` when it is an eighth of them, so that many spans cost no more
    /// moves than few.
    fresh: Vec<Span>,
    known: Vec<Known>,
    /// The starts of the spans that this call opened.
    opened: Vec<AbsAddr>,
    index: PageIndex,
    /// The addresses that an index was wanted for.
    jumped: usize,
    /// The pages that the index was allowed.
    effort: usize,
}

/// Spans behind their index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jumps<'c> {
    spans: &'c [Span],
    index: View<'c>,
}

impl<'c> Jumps<'c> {
    /// Returns the open span that the index names for `addr`, if it is the right one.
    #[inline]
    pub(crate) fn span_at(self, addr: AbsAddr) -> Option<&'c Span> {
        self.spans
            .get(self.index.place_of(addr))
            .filter(|span| span.contains(addr))
    }
}

/// So many fresh spans are borne in any case.
const FEW_FRESH: usize = 32;

impl VmaCache {
    pub(crate) fn new(lifetime: Lifetime) -> Self {
        Self {
            lifetime,
            spans: Vec::new(),
            fresh: Vec::new(),
            known: Vec::new(),
            opened: Vec::new(),
            index: PageIndex::default(),
            jumped: 0,
            effort: 0,
        }
    }

    /// Begins a call: closes what the last one opened.
    pub(crate) fn begin(&mut self) {
        if self.lifetime != Lifetime::Recheck {
            return;
        }
        if self.opened.len().saturating_mul(8) > self.spans.len() {
            for span in self.spans.iter_mut().chain(&mut self.fresh) {
                span.size = 0;
            }
        } else {
            for start in &self.opened {
                for spans in [&mut self.spans, &mut self.fresh] {
                    if let Ok(at) = spans.binary_search_by_key(start, |span| span.start)
                        && let Some(span) = spans.get_mut(at)
                    {
                        span.size = 0;
                    }
                }
            }
        }
        self.opened.clear();
    }

    /// Returns what the index knows, for many addresses that jump about.
    #[inline]
    pub(crate) fn jumps(&self) -> Jumps<'_> {
        Jumps {
            spans: &self.spans,
            index: self.index.view(),
        }
    }

    /// Returns what is known at `addr`, by bisection.
    pub(crate) fn find(&self, addr: AbsAddr) -> Found {
        for (spans, fresh) in [(&self.spans, false), (&self.fresh, true)] {
            let Some(at) = spans
                .partition_point(|span| span.start <= addr)
                .checked_sub(1)
            else {
                continue;
            };
            let Some(span) = spans.get(at) else { continue };
            if span.contains(addr) {
                return Found::Open(*span);
            }
            if span.size == 0
                && let Some(known) = known_of(&self.known, span)
                && addr.0.wrapping_sub(span.start.0) < known.size
            {
                return Found::Closed(Slot { fresh, at }, known.vma);
            }
        }
        Found::Nothing
    }

    /// Opens a span again that was found to hold still.
    pub(crate) fn open(&mut self, slot: Slot) -> Option<Span> {
        let spans = if slot.fresh {
            &mut self.fresh
        } else {
            &mut self.spans
        };
        let span = spans.get_mut(slot.at)?;
        let known = known_of(&self.known, span)?;
        span.size = known.size;
        self.opened.push(span.start);
        Some(*span)
    }

    /// Takes up what was just found, in place of all that overlaps it.
    pub(crate) fn insert(&mut self, mut span: Span, vma: Option<Vma>) {
        if self.lifetime == Lifetime::Recheck {
            self.opened.push(span.start);
        }
        if self.lifetime != Lifetime::Call {
            // What overlaps is older: the process has changed since.
            self.remove(AbsRange {
                start: span.start,
                end: end_of(&span),
            });
            span.known = u32::try_from(self.known.len()).unwrap_or(NOT_KEPT);
            self.known.push(Known {
                size: span.size,
                vma,
            });
        }
        if self.fresh.is_empty() && self.spans.last().is_none_or(|last| last.start < span.start) {
            self.spans.push(span);
            return;
        }
        let at = self.fresh.partition_point(|other| other.start < span.start);
        self.fresh.insert(at, span);
        if self.fresh.len() > FEW_FRESH.max(self.spans.len() / 8) {
            self.merge();
        }
    }

    /// Forgets all spans that overlap `range`.
    pub(crate) fn remove(&mut self, range: AbsRange) {
        let Self {
            spans,
            fresh,
            known,
            ..
        } = self;
        let end = |span: &Span| {
            let size = known_of(known, span).map_or(span.size, |known| known.size);
            AbsAddr(span.start.0.saturating_add(size))
        };
        for spans in [spans, fresh] {
            let first = spans.partition_point(|span| end(span) <= range.start);
            // Most often nothing overlaps: the next span begins behind the range.
            let overlapping = spans
                .iter()
                .skip(first)
                .take_while(|span| span.start < range.end);
            let behind = first.saturating_add(overlapping.count());
            if behind > first {
                spans.drain(first..behind);
                self.index.clear();
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.fresh.clear();
        self.known.clear();
        self.opened.clear();
        self.index.clear();
    }

    /// Prepares for `coming` more addresses that jump about, after some that the index
    /// did not serve.
    ///
    /// The more addresses a session has had, the finer an index pays: it is built anew
    /// when it is outdated, or could be four times as fine.
    pub(crate) fn build_index(&mut self, coming: usize) {
        self.jumped = self.jumped.saturating_add(coming);
        let effort = self.jumped / 4;
        if self.is_indexed() && effort / 4 < self.effort {
            return;
        }
        self.effort = effort;
        self.merge();
        let Self {
            spans,
            known,
            index,
            ..
        } = self;
        let range = |span: &Span| {
            (
                span.start,
                known_of(known, span).map_or(span.size, |it| it.size),
            )
        };
        index.build(spans.iter().map(range), effort);
    }

    /// Returns whether the index knows all spans that there are.
    fn is_indexed(&self) -> bool {
        self.fresh.is_empty() && self.index.covers(self.spans.len())
    }

    fn merge(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        // Both halves are sorted, and a stable sort merges such runs in one pass.
        self.spans.append(&mut self.fresh);
        self.spans.sort_by_key(|span| span.start);
        self.index.clear();
        self.drop_unused();
    }

    /// Spans come and go over a long session; what was kept for those that went is
    /// dropped when it is the greater part.
    fn drop_unused(&mut self) {
        if self.known.len() <= self.spans.len().saturating_mul(2) {
            return;
        }
        let old = std::mem::take(&mut self.known);
        for span in &mut self.spans {
            if let Some(known) = known_of(&old, span) {
                span.known = u32::try_from(self.known.len()).unwrap_or(NOT_KEPT);
                self.known.push(*known);
            }
        }
    }
}

fn known_of<'k>(known: &'k [Known], span: &Span) -> Option<&'k Known> {
    known.get(usize::try_from(span.known).ok()?)
}

/// The last span can reach to the end of the address space.
fn end_of(span: &Span) -> AbsAddr {
    AbsAddr(span.start.0.saturating_add(span.size))
}
