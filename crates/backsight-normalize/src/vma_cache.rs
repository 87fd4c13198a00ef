//! The cache of an address space: which answer is valid for which range.
//!
//! Each [`Span`] is a range of addresses with one answer: a VMA that was found, or a gap
//! that was proven. Spans are disjoint and sorted, so a lookup is a binary search. For
//! unsorted addresses, an [`Index`] is tried first.
//!
//! With [`Trust::Recheck`], spans are marked *stale* between two calls. No address is
//! inside a stale span, so the fast path needs no extra check. The slow path queries the
//! kernel once and makes the span valid again.

use backsight_types::{AbsAddr, AbsRange, Outcome};

use crate::index::Index;
use crate::missed::Missed;
use crate::modules::make_room;
use crate::options::Trust;
use crate::span::{LIMIT, Span};

/// The result of a lookup.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FoundSpan {
    /// A valid span.
    Valid(Span),
    /// A span from an earlier call that has to be checked.
    Stale(Slot, Span),
    /// No span; where one would be inserted.
    Nothing(Between),
}

/// How many spans start below an address, in each list. Valid until the cache changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    spans: usize,
    fresh: usize,
}

/// The position of a span. Valid until the cache changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    fresh: bool,
    at: usize,
}

/// All spans of one address space.
#[derive(Debug)]
pub(crate) struct VmaCache {
    trust: Trust,
    /// Sorted and disjoint.
    spans: Vec<Span>,
    /// Spans that were added recently, out of order. Sorted, and disjoint also with
    /// `spans`. They are merged into `spans` when they are an eighth as many, so that the
    /// number of moves per span stays constant.
    fresh: Vec<Span>,
    confirmed: Confirmed,
    /// The index over `spans`, once unsorted addresses were looked up.
    index: Option<Box<Index>>,
    /// The number of unsorted addresses since the last change of a span.
    unsorted_count: usize,
}

/// The spans that become stale when the next call starts.
#[derive(Debug, Default)]
struct Confirmed {
    starts: Vec<AbsAddr>,
    /// Whether `starts` is incomplete. If many spans were confirmed, or there are few in
    /// all, all spans are marked instead.
    incomplete: bool,
}

/// The initial capacity of `spans`.
const FIRST_SPANS: usize = 16;

/// Up to this many fresh spans are never merged.
const MIN_FRESH_TO_MERGE: usize = 32;

/// With fewer spans, it does not pay to record which were confirmed.
const MIN_SPANS_TO_TRACK: usize = 64;

impl VmaCache {
    pub(crate) fn new(trust: Trust) -> Self {
        Self {
            trust,
            spans: Vec::new(),
            fresh: Vec::new(),
            confirmed: Confirmed {
                incomplete: true,
                ..Confirmed::default()
            },
            index: None,
            unsorted_count: 0,
        }
    }

    /// Starts a call: marks the spans stale that the last call confirmed.
    pub(crate) fn begin(&mut self) {
        self.merge_many();
        if self.trust == Trust::UntilInvalidated {
            return;
        }
        let Self {
            spans,
            fresh,
            confirmed,
            index,
            ..
        } = self;
        if confirmed.incomplete {
            spans.iter_mut().chain(fresh).for_each(Span::mark_stale);
            if let Some(index) = index {
                index.mark_all_stale();
            }
        } else {
            for start in &confirmed.starts {
                for (spans, index) in [(&mut *spans, index.as_mut()), (&mut *fresh, None)] {
                    if let Ok(at) = spans.binary_search_by_key(start, Span::start)
                        && let Some(span) = spans.get_mut(at)
                    {
                        span.mark_stale();
                        if let Some(index) = index {
                            index.put(at, span);
                        }
                    }
                }
            }
        }
        self.forget_confirmed();
    }

    /// Takes what is known as final: the process has ended.
    pub(crate) fn freeze(&mut self) {
        self.trust = Trust::UntilInvalidated;
        let all = self.spans.iter_mut().chain(&mut self.fresh);
        all.for_each(|span| *span = span.revalidated());
        clear(&mut self.index);
    }

    /// Returns a copy for a process that was forked.
    pub(crate) fn fork(&self, trust: Trust) -> Self {
        Self {
            spans: self.spans.clone(),
            fresh: self.fresh.clone(),
            ..Self::new(trust)
        }
    }

    fn forget_confirmed(&mut self) {
        self.confirmed.starts.clear();
        self.confirmed.incomplete = self.spans.len() < MIN_SPANS_TO_TRACK;
    }

    fn note_confirmed(&mut self, start: AbsAddr) {
        if self.confirmed.incomplete {
            return;
        }
        self.confirmed.starts.push(start);
        self.confirmed.incomplete = self.confirmed.starts.len() > self.spans.len() / 8;
    }

    /// Appends the outcomes of unsorted addresses from the index. Those that it does not
    /// have are [`PENDING`](crate::span::PENDING): their positions are recorded in
    /// `missed`, and their number is returned.
    #[inline]
    pub(crate) fn answer_unsorted(
        &self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
        missed: &mut Missed,
    ) -> usize {
        match &self.index {
            Some(index) => index.answer(&self.spans, addrs, outcomes, missed),
            None => missed.all(addrs, outcomes),
        }
    }

    /// Returns the span at `addr`, found by binary search.
    pub(crate) fn find(&self, addr: AbsAddr) -> FoundSpan {
        let mut below = [0, 0];
        let lists = [(&self.spans, false), (&self.fresh, true)];
        for ((spans, fresh), below) in lists.into_iter().zip(&mut below) {
            *below = spans.partition_point(|span| span.start() <= addr);
            let at = below.wrapping_sub(1);
            let Some(span) = spans.get(at) else { continue };
            if span.contains(addr) {
                return FoundSpan::Valid(*span);
            }
            if span.covers(addr) {
                return FoundSpan::Stale(Slot { fresh, at }, *span);
            }
        }
        let [spans, fresh] = below;
        FoundSpan::Nothing(Between { spans, fresh })
    }

    /// Makes a stale span valid, after the source confirmed it.
    pub(crate) fn confirm(&mut self, slot: Slot) {
        let (spans, index) = match slot.fresh {
            true => (&mut self.fresh, None),
            false => (&mut self.spans, self.index.as_mut()),
        };
        if let Some(span) = spans.get_mut(slot.at) {
            *span = span.revalidated();
            if let Some(index) = index {
                index.put(slot.at, span);
            }
            let start = span.start();
            self.note_confirmed(start);
        }
    }

    /// Inserts a new span at the position of a failed lookup. Usually it fits there, and
    /// no search is needed.
    #[inline]
    pub(crate) fn insert_between(&mut self, between: Between, span: Span) {
        let Between { spans, fresh } = between;
        let is_last = self.fresh.is_empty() && spans == self.spans.len();
        let fits = fits(&self.spans, spans, &span) && fits(&self.fresh, fresh, &span);
        if is_last || span.range().end > LIMIT || !fits {
            return self.insert(span);
        }
        self.note_confirmed(span.start());
        self.insert_fresh(fresh, span);
    }

    /// An insertion at the end moves no spans, so it does not trigger a merge.
    fn insert_fresh(&mut self, at: usize, span: Span) {
        self.fresh.insert(at, span);
        if at.saturating_add(1) < self.fresh.len() {
            self.merge_many();
        }
    }

    fn merge_many(&mut self) {
        if self.fresh.len() > MIN_FRESH_TO_MERGE.max(self.spans.len() / 8) {
            self.merge();
        }
    }

    /// Inserts a new span, and removes all spans that it overlaps.
    pub(crate) fn insert(&mut self, span: Span) {
        if span.range().end > LIMIT {
            return;
        }
        self.note_confirmed(span.start());
        if self.fresh.is_empty() && self.spans.last().is_none_or(|last| last.is_below(&span)) {
            make_room(&mut self.spans, FIRST_SPANS);
            self.spans.push(span);
            return;
        }
        if self.extend_gap(span) {
            return;
        }
        // Overlapping spans are older: the process has changed its mappings since.
        self.remove(span.range());
        let at = self
            .fresh
            .partition_point(|other| other.start() < span.start());
        self.insert_fresh(at, span);
    }

    /// If `span` is a known gap with a lower start, extends that gap. Positions do not
    /// change, so the index stays valid for the spans that it has.
    fn extend_gap(&mut self, span: Span) -> bool {
        if !span.is_gap() {
            return false;
        }
        for spans in [&mut self.spans, &mut self.fresh] {
            let at = spans.partition_point(|known| known.start() <= span.start());
            let below = at.checked_sub(1).and_then(|below| spans.get(below));
            if below.is_some_and(|below| !below.is_below(&span)) {
                return false;
            }
            if let Some(known) = spans.get_mut(at)
                && known.is_gap()
                && known.range().end == span.range().end
            {
                *known = span;
                if let Some(index) = &mut self.index {
                    index.outdate();
                }
                return true;
            }
        }
        false
    }

    /// Removes all spans that overlap `range`.
    pub(crate) fn remove(&mut self, range: AbsRange) {
        for spans in [&mut self.spans, &mut self.fresh] {
            let first = spans.partition_point(|span| span.range().end <= range.start);
            // Usually nothing overlaps: the next span starts after the range.
            let overlapping = spans
                .iter()
                .skip(first)
                .take_while(|span| span.start() < range.end);
            let behind = first.saturating_add(overlapping.count());
            if behind > first {
                spans.drain(first..behind);
                clear(&mut self.index);
            }
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.fresh.clear();
        clear(&mut self.index);
        self.forget_confirmed();
    }

    /// Prepares for more unsorted addresses.
    ///
    /// The more addresses follow without a change of a span, the smaller the pages of the
    /// index may be. It is rebuilt if it is outdated, or if it could have four times as
    /// many pages.
    pub(crate) fn build_index(&mut self, coming: &[AbsAddr]) {
        if coming.is_empty() || self.spans.is_empty() {
            return;
        }
        let outdated = !self.is_indexed();
        self.unsorted_count = match outdated {
            true => coming.len(),
            false => self.unsorted_count.saturating_add(coming.len()),
        };
        let is_fine = |index: &Index| !index.could_be_finer(self.unsorted_count);
        if !outdated && self.index.as_deref().is_some_and(is_fine) {
            return;
        }
        self.merge();
        let index = self.index.get_or_insert_default();
        index.build(&self.spans, coming, self.unsorted_count);
    }

    /// Returns whether the index has all spans.
    fn is_indexed(&self) -> bool {
        let covers = |index: &Index| index.covers(self.spans.len());
        self.fresh.is_empty() && self.index.as_deref().is_some_and(covers)
    }

    fn merge(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        // Merges from the end into the extended list, so that nothing else is allocated.
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
                .filter(|old| below > 0 && old.start() > new.start());
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
        clear(&mut self.index);
    }
}

/// Returns whether `span` does not overlap the spans before and after the position `at`.
#[inline]
fn fits(spans: &[Span], at: usize, span: &Span) -> bool {
    let below = spans.get(at.wrapping_sub(1));
    let above = spans.get(at);
    below.is_none_or(|below| below.is_below(span)) && above.is_none_or(|above| span.is_below(above))
}

/// Clears the index, because positions of spans have changed.
fn clear(index: &mut Option<Box<Index>>) {
    if let Some(index) = index {
        index.clear();
    }
}

#[cfg(test)]
mod tests;
