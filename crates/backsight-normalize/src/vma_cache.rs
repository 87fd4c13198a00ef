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

use crate::options::Trust;
use crate::page_index::{PageIndex, View};
use crate::span::Span;

/// Where a lookup found something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// It holds.
    Open(Span),
    /// It held in an earlier call.
    Closed(Slot, Span),
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
    trust: Trust,
    /// Sorted, disjoint.
    spans: Vec<Span>,
    /// As `spans`, and disjoint with them: what came lately, out of order. Merged
    /// into `spans` when it is an eighth of them, so that many spans cost no more
    /// moves than few.
    fresh: Vec<Span>,
    opened: Opened,
    index: PageIndex,
    /// The addresses that an index was wanted for.
    jumped: usize,
    /// The pages that the index was allowed.
    effort: usize,
}

/// What must be closed when the next call begins.
#[derive(Debug, Default)]
struct Opened {
    starts: Vec<AbsAddr>,
    /// Whether they are not all there: so many, or among so few, that all spans are
    /// looked at instead.
    incomplete: bool,
}

/// Spans behind their index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jumps<'c> {
    spans: &'c [Span],
    index: View<'c>,
}

impl<'c> Jumps<'c> {
    /// Returns the open span that the index names for `addr`, if it is the right one.
    ///
    /// A page may begin with the end of the span below; which of the two it is jumps
    /// about with the addresses, so no branch asks.
    #[inline]
    pub(crate) fn span_at(self, addr: AbsAddr) -> Option<&'c Span> {
        let place = self.index.place_of(addr);
        let below = addr < self.spans.get(place)?.start;
        self.spans
            .get(place.wrapping_sub(usize::from(below)))
            .filter(|span| span.contains(addr))
    }
}

/// So many fresh spans are borne in any case.
const FEW_FRESH: usize = 32;

/// Among so few spans it is not worth while to remember which are open.
const FEW_SPANS: usize = 64;

impl VmaCache {
    pub(crate) fn new(trust: Trust) -> Self {
        Self {
            trust,
            spans: Vec::new(),
            fresh: Vec::new(),
            opened: Opened {
                incomplete: true,
                ..Opened::default()
            },
            index: PageIndex::default(),
            jumped: 0,
            effort: 0,
        }
    }

    /// Begins a call: closes what the last one opened.
    pub(crate) fn begin(&mut self) {
        if self.trust == Trust::UntilTold {
            return;
        }
        let Self {
            spans,
            fresh,
            opened,
            ..
        } = self;
        if opened.incomplete {
            spans.iter_mut().chain(fresh).for_each(Span::close);
        } else {
            for start in &opened.starts {
                for spans in [&mut *spans, &mut *fresh] {
                    if let Ok(at) = spans.binary_search_by_key(start, |span| span.start)
                        && let Some(span) = spans.get_mut(at)
                    {
                        span.close();
                    }
                }
            }
        }
        self.forget_opened();
    }

    fn forget_opened(&mut self) {
        self.opened.starts.clear();
        self.opened.incomplete = self.spans.len() < FEW_SPANS;
    }

    fn note_open(&mut self, start: AbsAddr) {
        if self.opened.incomplete {
            return;
        }
        self.opened.starts.push(start);
        self.opened.incomplete = self.opened.starts.len() > self.spans.len() / 8;
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
            if span.covers(addr) {
                return Found::Closed(Slot { fresh, at }, *span);
            }
        }
        Found::Nothing
    }

    /// Opens a span again that was found to hold still.
    pub(crate) fn open(&mut self, slot: Slot) {
        let spans = if slot.fresh {
            &mut self.fresh
        } else {
            &mut self.spans
        };
        if let Some(span) = spans.get_mut(slot.at) {
            span.open();
            let start = span.start;
            self.note_open(start);
        }
    }

    /// Takes up what was just found, in place of all that overlaps it.
    pub(crate) fn insert(&mut self, span: Span) {
        // What overlaps is older: the process has changed since.
        self.remove(span.range());
        self.note_open(span.start);
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
        for spans in [&mut self.spans, &mut self.fresh] {
            let first = spans.partition_point(|span| span.range().end <= range.start);
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
        self.index.clear();
        self.forget_opened();
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
        let range = |span: &Span| (span.start, span.whole);
        self.index.build(self.spans.iter().map(range), effort);
    }

    /// Returns whether the index knows all spans that there are.
    fn is_indexed(&self) -> bool {
        self.fresh.is_empty() && self.index.covers(self.spans.len())
    }

    fn merge(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        // From the back, in the room that grows there: nothing else is allocated.
        let Self { spans, fresh, .. } = self;
        let mut below = spans.len();
        spans.resize(below.saturating_add(fresh.len()), Span::nowhere());
        for to in (0..spans.len()).rev() {
            let (Some(new), last) = (fresh.last(), below.wrapping_sub(1)) else {
                break;
            };
            let old = spans
                .get(last)
                .copied()
                .filter(|old| below > 0 && old.start > new.start);
            let next = match old {
                Some(old) => {
                    below = last;
                    Some(old)
                }
                None => fresh.pop(),
            };
            if let (Some(place), Some(next)) = (spans.get_mut(to), next) {
                *place = next;
            }
        }
        self.index.clear();
    }
}
