//! The index over the spans for unsorted addresses.

use backsight_types::{AbsAddr, AbsRange, Outcome};

use crate::exact_index::ExactIndex;
use crate::missed::Missed;
use crate::page_index::{EMPTY, PageIndex, View};
use crate::span::{PENDING, Span};

/// Finds outcomes without a search: by an exact table, or by a table of guesses if the
/// spans lie too far apart for an exact one.
#[derive(Debug)]
pub(crate) struct Index {
    exact: ExactIndex,
    pages: PageIndex,
    /// The spans that `pages` is built of: those without an answer in `exact`, with their
    /// positions.
    outside: Vec<(u16, AbsRange)>,
    /// The number of spans that it was built of, or `usize::MAX` if spans have changed
    /// since.
    covered: usize,
    /// The number of addresses that it was built for.
    effort: usize,
}

/// Building an index for this many addresses always pays.
const MIN_EFFORT: usize = 128;

impl Default for Index {
    fn default() -> Self {
        Self {
            exact: ExactIndex::default(),
            pages: PageIndex::default(),
            outside: Vec::new(),
            covered: usize::MAX,
            effort: 0,
        }
    }
}

impl Index {
    /// Returns whether it was built of a list of this length, which has not changed
    /// since.
    pub(crate) fn covers(&self, spans: usize) -> bool {
        self.covered == spans
    }

    /// Records that spans have changed, but not their positions.
    pub(crate) fn outdate(&mut self) {
        self.covered = usize::MAX;
    }

    /// Removes all tables, because positions of spans have changed.
    pub(crate) fn clear(&mut self) {
        self.exact.clear();
        self.pages.clear();
        self.outdate();
    }

    /// Returns whether an index built for `count` addresses could have smaller pages.
    pub(crate) fn could_be_finer(&self, count: usize) -> bool {
        let is_exact = self.exact.is_built() || self.pages.view().is_exact();
        !is_exact && count.max(MIN_EFFORT) / 4 >= self.effort
    }

    /// Builds it for `count` addresses like the expected ones.
    pub(crate) fn build(&mut self, spans: &[Span], coming: &[AbsAddr], count: usize) {
        let count = count.max(MIN_EFFORT);
        (self.effort, self.covered) = (count, spans.len());
        self.pages.clear();
        self.exact.build(spans, coming, count);
        if self.exact.is_built() && !self.exact.some_outside() {
            return;
        }
        // The list may have more spans than the table can refer to. The others are found
        // by binary search.
        let exact = Some(&self.exact).filter(|exact| exact.is_built());
        let is_held = |at: u16, span| exact.is_some_and(|exact| exact.holds(at.into(), span));
        let outside = (0..EMPTY)
            .zip(spans)
            .filter(|(at, span)| !is_held(*at, span));
        self.outside.clear();
        self.outside
            .extend(outside.map(|(at, span)| (at, span.range())));
        self.pages.build(&self.outside, count / 2);
    }

    /// Updates the answer of the span at this position, valid or stale.
    pub(crate) fn put(&mut self, at: usize, span: &Span) {
        self.exact.put(at, span);
    }

    /// Sets all answers to pending, after all spans were marked stale.
    pub(crate) fn mark_all_stale(&mut self) {
        self.exact.mark_all_stale();
    }

    /// Appends an outcome for each address, in any order. Those without an answer are
    /// [`PENDING`](crate::span::PENDING): their positions are recorded in `missed`, and
    /// their number is returned.
    pub(crate) fn answer(
        &self,
        spans: &[Span],
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
        missed: &mut Missed,
    ) -> usize {
        let from = outcomes.len();
        let view = self.pages.view();
        if self.exact.is_built() {
            let count = self.exact.answer(addrs, outcomes, missed);
            let outcomes = outcomes.get_mut(from..).unwrap_or_default();
            return match view.is_built() {
                true => answer_missed(view, spans, addrs, outcomes, missed, count),
                false => count,
            };
        }
        let count = missed.all(addrs, outcomes);
        let answers = outcomes.get_mut(from..).unwrap_or_default();
        let all = match view.is_exact() {
            true => answer_by::<true>(view, spans, addrs, answers),
            false => answer_by::<false>(view, spans, addrs, answers),
        };
        match all {
            true => 0,
            false => keep_pending(answers, missed, count),
        }
    }
}

/// Sets outcomes of missed addresses. Returns how many are still missed.
fn answer_missed(
    index: View<'_>,
    spans: &[Span],
    addrs: &[AbsAddr],
    outcomes: &mut [Outcome],
    missed: &mut Missed,
    count: usize,
) -> usize {
    let mut pending = 0_usize;
    for nth in 0..count {
        let at = missed.at(nth);
        let place = usize::from(at);
        let (Some(addr), Some(outcome)) = (addrs.get(place), outcomes.get_mut(place)) else {
            continue;
        };
        let place = index.place_of(*addr);
        let named = [place, place.wrapping_sub(1)];
        let mut named = named.into_iter().filter_map(|at| spans.get(at));
        if let Some(span) = named.find(|span| span.contains(*addr)) {
            *outcome = span.outcome(*addr);
        } else {
            missed.put(pending, at);
            pending = pending.wrapping_add(1);
        }
    }
    pending
}

/// Keeps the recorded positions whose outcomes are pending. Returns their number.
fn keep_pending(outcomes: &[Outcome], missed: &mut Missed, count: usize) -> usize {
    let mut pending = 0_usize;
    for nth in 0..count {
        let at = missed.at(nth);
        let is_pending = outcomes.get(usize::from(at)) == Some(&PENDING);
        missed.put(pending, at);
        pending = pending.wrapping_add(usize::from(is_pending));
    }
    pending
}

/// Sets the outcomes of the addresses for which the index has the right span. Returns
/// whether it has it for all. Not inlined, so that the variables of the loop stay in
/// registers.
#[inline(never)]
fn answer_by<const EXACT: bool>(
    index: View<'_>,
    spans: &[Span],
    addrs: &[AbsAddr],
    outcomes: &mut [Outcome],
) -> bool {
    let mut all = true;
    for (addr, outcome) in addrs.iter().zip(outcomes) {
        let place = index.place_of(*addr);
        let mut named = spans.get(place);
        if !EXACT {
            // The page may start with the end of the span below. Which of the two spans
            // it is varies with the addresses, so a branch would be mispredicted.
            let below = named.is_some_and(|span| span.is_above(*addr));
            named = spans.get(place.wrapping_sub(usize::from(below)));
        }
        match named.filter(|span| span.contains(*addr)) {
            Some(span) => *outcome = span.outcome(*addr),
            None => all = false,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, AbsRange, FileOffset, ModuleIdx, Outcome, Reason};
    use proptest::prelude::*;

    use super::Index;
    use crate::missed::{BLOCK, Missed};
    use crate::span::{PENDING, Span};

    fn span(start: u64, size: u64, at_zero: Outcome) -> Span {
        let [start, end] = [start, start.saturating_add(size)].map(AbsAddr);
        Span::of(AbsRange { start, end }, at_zero)
    }

    fn module(nth: u32) -> Outcome {
        Outcome::Located {
            module: ModuleIdx(nth),
            file_offset: FileOffset(u64::from(nth) << 20),
        }
    }

    /// Answers all of `addrs`. Pending addresses get [`PENDING`], and their positions are
    /// recorded.
    fn answer(index: &Index, spans: &[Span], addrs: &[AbsAddr]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for block in addrs.chunks(BLOCK) {
            let (from, mut missed) = (outcomes.len(), Missed::new());
            let count = index.answer(spans, block, &mut outcomes, &mut missed);
            let noted: Vec<usize> = (0..count).map(|nth| missed.at(nth).into()).collect();
            let pending = (0..block.len()).filter(|at| outcomes[from + at] == PENDING);
            assert_eq!(noted, pending.collect::<Vec<_>>());
        }
        outcomes
    }

    fn slowly(spans: &[Span], addr: AbsAddr) -> Outcome {
        let span = spans.iter().find(|span| span.contains(addr));
        span.map_or(PENDING, |span| span.outcome(addr))
    }

    #[test]
    fn libraries_in_a_row_are_known_to_the_byte() {
        let spans: Vec<Span> = (0..100)
            .map(|nth| {
                span(
                    0x7f00_0000_0000 + u64::from(nth) * 0x5000,
                    0x2000,
                    module(nth),
                )
            })
            .collect();
        let addrs: Vec<AbsAddr> = (0..10_000)
            .map(|nth| AbsAddr(0x7f00_0000_0000 + nth * 7919 % (100 * 0x5000)))
            .collect();
        let mut index = Index::default();
        index.build(&spans, &addrs, addrs.len());
        let outcomes = answer(&index, &spans, &addrs);
        for (addr, outcome) in addrs.iter().zip(outcomes) {
            assert_eq!(outcome, slowly(&spans, *addr), "{addr:?}");
        }
    }

    #[test]
    fn a_stale_span_answers_nothing_until_it_is_confirmed() {
        let mut spans = vec![
            span(0x1000, 0x1000, module(0)),
            span(0x2000, 0x1000, Outcome::Unresolved(Reason::Anonymous)),
            span(0x3000, 0x1000, module(1)),
        ];
        let addrs: Vec<AbsAddr> = (0..100).map(|nth| AbsAddr(0x1000 + nth * 0x6f)).collect();
        let mut index = Index::default();
        index.build(&spans, &addrs, addrs.len());
        assert!(!answer(&index, &spans, &addrs).contains(&PENDING));
        spans.iter_mut().for_each(Span::mark_stale);
        index.mark_all_stale();
        assert_eq!(answer(&index, &spans, &addrs), vec![PENDING; addrs.len()]);
        spans[2] = spans[2].revalidated();
        index.put(2, &spans[2]);
        for (addr, outcome) in addrs.iter().zip(answer(&index, &spans, &addrs)) {
            assert_eq!(outcome, slowly(&spans, *addr), "{addr:?}");
        }
    }

    prop_compose! {
        /// Disjoint, sorted spans: near each other and far apart, aligned to pages or
        /// not.
        fn spans()(parts in prop::collection::vec(
            (0_u64..40, 0_u64..0x4000, 0_u64..8, any::<bool>(), 0_u32..4), 1..40
        )) -> Vec<Span> {
            let mut start = 0x1000;
            let spans = parts.into_iter().zip(0..).map(|((far, size, hole, whole, kind), nth)| {
                start += (1 << far) * hole;
                let mask = if whole { !0xfff } else { !0 };
                let (from, size) = (start & mask, (size + 0x1000) & mask);
                start = from + size + 0x1000;
                span(from, size, match kind {
                    0 => Outcome::Unresolved(Reason::Anonymous),
                    1 => Outcome::Unresolved(Reason::Unmapped),
                    _ => module(nth),
                })
            });
            spans.collect()
        }
    }

    proptest! {
        #[test]
        fn an_index_says_what_holds_or_nothing(
            spans in spans(),
            places in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..0x6000), 1..700),
        ) {
            let addrs: Vec<AbsAddr> = places
                .iter()
                .map(|(of, into)| AbsAddr(of.get(&spans).start().0 + into))
                .collect();
            let mut index = Index::default();
            index.build(&spans, &addrs, addrs.len());
            for (addr, outcome) in addrs.iter().zip(answer(&index, &spans, &addrs)) {
                let known = slowly(&spans, *addr);
                prop_assert!(outcome == known || outcome == PENDING, "{addr:?}: {outcome:?}");
            }
        }
    }
}
