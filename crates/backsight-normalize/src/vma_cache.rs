//! What is known of an address space: which answer holds where.
//!
//! Each [`Span`] is a range of addresses with one answer: a VMA that was met, or a
//! gap that was proven. They lie disjoint and sorted, so a lookup is a bisection;
//! an [`Index`] stands in front of it for batches that jump about.
//!
//! A session that re-checks what it knows marks its spans *stale* between two calls: no
//! address falls into a stale span, and the slow way asks the kernel once and makes it valid
//! again. So the fast way looks at nothing else.

use backsight_types::{AbsAddr, AbsRange, Outcome};

use crate::index::Index;
use crate::missed::Missed;
use crate::modules::make_room;
use crate::options::Trust;
use crate::span::{LIMIT, Span};

/// Where a lookup found something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FoundSpan {
    /// It holds.
    Valid(Span),
    /// It held in an earlier call.
    Stale(Slot, Span),
    /// Nothing is known there.
    Nothing(Between),
}

/// How many spans begin below an unknown address, good until the cache changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    spans: usize,
    fresh: usize,
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
    /// into `spans` when it is an eighth of them, so that many cost no more moves than few.
    fresh: Vec<Span>,
    confirmed: Confirmed,
    /// Of `spans`, once addresses jumped about.
    index: Option<Box<Index>>,
    /// The addresses that jumped about since a span changed.
    jumped: usize,
}

/// What becomes stale when the next call begins.
#[derive(Debug, Default)]
struct Confirmed {
    starts: Vec<AbsAddr>,
    /// Whether they are not all there: so many, or among so few, that all spans are
    /// looked at instead.
    incomplete: bool,
}

/// Room for so many spans is made at once.
const FIRST_SPANS: usize = 16;

/// So many fresh spans are borne in any case.
const FEW_FRESH: usize = 32;

/// Among so few spans it is not worth while to remember which were confirmed.
const FEW_SPANS: usize = 64;

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
            jumped: 0,
        }
    }

    /// Begins a call: marks stale what the last one confirmed.
    pub(crate) fn begin(&mut self) {
        self.merge_many();
        if self.trust == Trust::UntilTold {
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

    fn forget_confirmed(&mut self) {
        self.confirmed.starts.clear();
        self.confirmed.incomplete = self.spans.len() < FEW_SPANS;
    }

    fn note_confirmed(&mut self, start: AbsAddr) {
        if self.confirmed.incomplete {
            return;
        }
        self.confirmed.starts.push(start);
        self.confirmed.incomplete = self.confirmed.starts.len() > self.spans.len() / 8;
    }

    /// Appends what the index knows of addresses that jump about, and
    /// [`PENDING`](crate::span::PENDING) for those of which it knows nothing. Notes these in
    /// `missed`, and returns how many they are.
    #[inline]
    pub(crate) fn answer_jumps(
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

    /// Returns what is known at `addr`, by bisection.
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

    /// Takes note that a stale span was asked about and still holds.
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

    /// Takes up what was just found where nothing was known. Most often it fits in there,
    /// and nothing is searched for.
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

    /// At the end of them it moves none, so there more are borne.
    fn insert_fresh(&mut self, at: usize, span: Span) {
        self.fresh.insert(at, span);
        if at.saturating_add(1) < self.fresh.len() {
            self.merge_many();
        }
    }

    fn merge_many(&mut self) {
        if self.fresh.len() > FEW_FRESH.max(self.spans.len() / 8) {
            self.merge();
        }
    }

    /// Takes up what was just found, in place of all that overlaps it.
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
        if self.lengthens(span) {
            return;
        }
        // What overlaps is older: the process has changed since.
        self.remove(span.range());
        let at = self
            .fresh
            .partition_point(|other| other.start() < span.start());
        self.insert_fresh(at, span);
    }

    /// Lets a gap begin lower than it was known to, if `span` is such a one. No place
    /// changes, so the index stays good for what it knows.
    fn lengthens(&mut self, span: Span) -> bool {
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

    /// Forgets all spans that overlap `range`.
    pub(crate) fn remove(&mut self, range: AbsRange) {
        for spans in [&mut self.spans, &mut self.fresh] {
            let first = spans.partition_point(|span| span.range().end <= range.start);
            // Most often nothing overlaps: the next span begins behind the range.
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

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.fresh.clear();
        clear(&mut self.index);
        self.forget_confirmed();
    }

    /// Prepares for more addresses that jump about.
    ///
    /// The more addresses come while no span changes, the finer an index pays: it is
    /// built anew when it is outdated, or could be four times as fine.
    pub(crate) fn build_index(&mut self, coming: &[AbsAddr]) {
        if coming.is_empty() || self.spans.is_empty() {
            return;
        }
        let outdated = !self.is_indexed();
        self.jumped = match outdated {
            true => coming.len(),
            false => self.jumped.saturating_add(coming.len()),
        };
        let is_fine = |index: &Index| !index.could_be_finer(self.jumped);
        if !outdated && self.index.as_deref().is_some_and(is_fine) {
            return;
        }
        self.merge();
        let index = self.index.get_or_insert_default();
        index.build(&self.spans, coming, self.jumped);
    }

    /// Returns whether the index knows all spans that there are.
    fn is_indexed(&self) -> bool {
        let covers = |index: &Index| index.covers(self.spans.len());
        self.fresh.is_empty() && self.index.as_deref().is_some_and(covers)
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

/// Returns whether `span` overlaps none of those beside the place `at`.
#[inline]
fn fits(spans: &[Span], at: usize, span: &Span) -> bool {
    let below = spans.get(at.wrapping_sub(1));
    let above = spans.get(at);
    below.is_none_or(|below| below.is_below(span)) && above.is_none_or(|above| span.is_below(above))
}

/// Takes note that spans have changed their places.
fn clear(index: &mut Option<Box<Index>>) {
    if let Some(index) = index {
        index.clear();
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, AbsRange, FileOffset, InModule, ModuleIdx};
    use proptest::prelude::*;

    use super::{FoundSpan, VmaCache};
    use crate::{options::Trust, span::Span};

    proptest! {
        #[test]
        fn what_was_found_last_holds(found in prop::collection::vec((0_u32..400, 1_u32..9), 1..200)) {
            let (mut cache, mut known) = (VmaCache::new(Trust::UntilTold), [None; 512]);
            for ((start, size), nth) in found.into_iter().zip(0..) {
                let range = AbsRange { start: AbsAddr(start.into()), end: AbsAddr((start + size).into()) };
                let span = Span::of(range, InModule::new(ModuleIdx(nth)).at(FileOffset(0)));
                match cache.find(AbsAddr((start + size / 2).into())) {
                    FoundSpan::Nothing(between) => cache.insert_between(between, span),
                    _ => cache.insert(span),
                }
                // Whatever it overlaps is older, and forgotten as a whole.
                let over = known[start as usize..][..size as usize].to_vec();
                known.iter_mut().filter(|of| over.contains(of)).for_each(|of| *of = None);
                known[start as usize..][..size as usize].fill(Some(span.at_zero()));
            }
            for (addr, known) in (0..).zip(known) {
                let found = cache.find(AbsAddr(addr));
                let found = if let FoundSpan::Valid(span) = found { Some(span.at_zero()) } else { None };
                prop_assert_eq!(found, known);
            }
        }
    }
}
