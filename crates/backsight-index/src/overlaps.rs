//! Resolves ranges that may overlap into a table for binary search.
//!
//! Ranges from compilers are usually disjoint or nested. Forged files, identical code
//! folding and functions that the linker dropped violate this. A search that assumes it
//! would give arbitrary answers, and one that does not would check every range for each
//! address. So the overlaps are resolved once, in O(n log n), into disjoint spans, each
//! with the few most preferred values that cover it:
//!
//! ```text
//!   a ├──────────────┤
//!   b      ├────┤               spans:  a │ b,a │ a │ – │ c
//!   c                    ├──┤
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::byte_count::bytes_of;

/// A half-open range, from `begin` to `end`, with a value.
#[derive(Clone, Copy, Debug)]
pub struct RankedRange {
    /// Its start.
    pub begin: u64,
    /// Its end, exclusive.
    pub end: u64,
    /// A lower rank takes precedence. With equal ranks, the innermost range does: the one
    /// that starts last, then the one that ends first, then the one with the lower value.
    pub rank: u32,
    /// Its value.
    pub value: u32,
}

/// Disjoint spans in ascending order and the values that cover each.
#[derive(Debug, Default)]
pub struct Overlaps {
    spans: Vec<OverlapSpan>,
    values: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct OverlapSpan {
    begin: u64,
    first: u32,
    count: u32,
}

impl Overlaps {
    /// Resolves the overlaps. Each span keeps at most `keep` values.
    ///
    /// Ranges whose end is not above their start are ignored. Values beyond 2^32 in all
    /// are dropped; the limits of the callers do not allow that many ranges.
    pub fn new(mut items: Vec<RankedRange>, keep: usize) -> Self {
        let mut overlaps = Self::default();
        overlaps.fill(&mut items, keep);
        overlaps.spans.shrink_to_fit();
        overlaps.values.shrink_to_fit();
        overlaps
    }

    /// Removes all spans, and keeps the allocations.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.values.clear();
    }

    /// Replaces the ranges by these, which it sorts, and reuses the allocations.
    pub fn fill(&mut self, items: &mut Vec<RankedRange>, keep: usize) {
        self.clear();
        items.retain(|item| item.begin < item.end);
        sort(items);
        let disjoint = |pair: &[RankedRange]| matches!(pair, [a, b] if a.end <= b.begin);
        if items.windows(2).all(disjoint) {
            self.take_disjoint(items, keep);
        } else if keep == 1 {
            let mut changes = Vec::new();
            innermost(items, &mut OverlapScratch::default(), &mut changes);
            for (begin, value) in changes {
                self.push(begin, value.into_iter());
            }
        } else {
            self.take_overlapping(items, keep);
        }
    }

    fn take_overlapping(&mut self, items: &[RankedRange], keep: usize) {
        // `active` is ordered by preference, `ends` by end.
        let mut active: BTreeSet<(u32, u64, u64, u32)> = BTreeSet::new();
        let mut ends: BTreeSet<(u64, u64, u32, u32)> = BTreeSet::new();
        let mut items = items.iter().peekable();
        loop {
            let next_begin = items.peek().map(|item| item.begin);
            let next_end = ends.first().map(|end| end.0);
            let Some(at) = next_begin.into_iter().chain(next_end).min() else {
                break;
            };
            while let Some(&(end, begin, rank, value)) = ends.first().filter(|end| end.0 == at) {
                ends.remove(&(end, begin, rank, value));
                active.remove(&(rank, u64::MAX ^ begin, end, value));
            }
            while let Some(item) = items.next_if(|item| item.begin == at) {
                active.insert((item.rank, u64::MAX ^ item.begin, item.end, item.value));
                ends.insert((item.end, item.begin, item.rank, item.value));
            }
            self.push(at, active.iter().take(keep).map(|entry| entry.3));
        }
    }

    /// Adds ranges that do not overlap, as in nearly all tables.
    fn take_disjoint(&mut self, items: &[RankedRange], keep: usize) {
        let mut last_end = None;
        for item in items {
            if let Some(end) = last_end.filter(|end| *end < item.begin) {
                self.push(end, std::iter::empty());
            }
            self.push(item.begin, std::iter::once(item.value).take(keep));
            last_end = Some(item.end);
        }
        if let Some(end) = last_end {
            self.push(end, std::iter::empty());
        }
    }

    /// Returns the bytes that its tables take.
    pub fn bytes(&self) -> usize {
        bytes_of(&self.spans).saturating_add(bytes_of(&self.values))
    }

    fn push(&mut self, begin: u64, values: impl Iterator<Item = u32>) {
        let from = self.values.len();
        self.values.extend(values);
        let new = self.values.get(from..).unwrap_or_default();
        let same = self.spans.last().is_some_and(|last| self.of(last) == new);
        if same {
            self.values.truncate(from);
            return;
        }
        let count = u32::try_from(new.len());
        if let (Ok(first), Ok(count)) = (u32::try_from(from), count) {
            self.spans.push(OverlapSpan {
                begin,
                first,
                count,
            });
        }
    }

    #[inline]
    fn of(&self, span: &OverlapSpan) -> &[u32] {
        let from = usize::try_from(span.first).unwrap_or(usize::MAX);
        let count = usize::try_from(span.count).unwrap_or(0);
        let values = self.values.get(from..).unwrap_or_default();
        values.get(..count).unwrap_or_default()
    }

    /// Returns each span that has values: its start, its end, and the values, the
    /// preferred first.
    pub fn spans(&self) -> impl Iterator<Item = (u64, u64, &[u32])> {
        // The last span has no values and only ends the one before.
        let ends = self.spans.iter().skip(1).map(|span| span.begin);
        let spans = self.spans.iter().zip(ends);
        let spans = spans.map(|(span, end)| (span.begin, end, self.of(span)));
        spans.filter(|(_, _, values)| !values.is_empty())
    }

    /// Returns each span that has values: its start, its end, and the preferred value.
    pub fn covered(&self) -> impl Iterator<Item = (u64, u64, u32)> {
        self.spans()
            .filter_map(|(begin, end, values)| Some((begin, end, *values.first()?)))
    }

    /// Returns the end of the span that contains `addr`, if it has a value.
    #[inline]
    pub fn end_of(&self, addr: u64) -> Option<u64> {
        let after = self.spans.partition_point(|span| span.begin <= addr);
        let span = self.spans.get(after.checked_sub(1)?)?;
        let end = self.spans.get(after)?.begin;
        (!self.of(span).is_empty()).then_some(end)
    }

    /// Returns the values of the ranges that contain `addr`, the preferred first.
    #[must_use]
    #[inline]
    pub fn find(&self, addr: u64) -> &[u32] {
        let after = self.spans.partition_point(|span| span.begin <= addr);
        let span = after.checked_sub(1).and_then(|at| self.spans.get(at));
        span.map(|span| self.of(span)).unwrap_or_default()
    }
}

/// An address where the preferred value changes, and the new value; `None` if no range
/// covers it.
pub type ValueChange = (u64, Option<u32>);

/// Buffers of [`innermost`], reused between calls.
#[derive(Debug, Default)]
pub struct OverlapScratch {
    /// The ranges that contain the next one, the outermost first.
    open: Vec<RankedRange>,
    active: BinaryHeap<Reverse<(u32, u64, u64, u32)>>,
}

/// Sorts ranges into the order that [`innermost`] expects: a range precedes those within it.
pub fn sort(items: &mut [RankedRange]) {
    let outer_first = |item: &RankedRange| {
        let inside = (item.end, item.rank, item.value);
        (item.begin, Reverse(inside))
    };
    if !items.is_sorted_by_key(outer_first) {
        items.sort_unstable_by_key(outer_first);
    }
}

/// Adds to `changes`, in ascending order, each change of the preferred value. `items`
/// must be sorted by [`sort`].
pub fn innermost(items: &[RankedRange], room: &mut OverlapScratch, changes: &mut Vec<ValueChange>) {
    let first = changes.len();
    if !nested(items, &mut room.open, changes) {
        changes.truncate(first);
        overlapping(items, &mut room.active, |change| changes.push(change));
    }
}

/// The fast path of [`innermost`], for nested ranges: each range lies within all ranges
/// that contain its start, and is preferred to them. Returns `false` if the ranges are
/// not nested.
fn nested(
    items: &[RankedRange],
    open: &mut Vec<RankedRange>,
    changes: &mut Vec<ValueChange>,
) -> bool {
    let first = changes.len();
    open.clear();
    for item in items {
        close(open, item.begin, changes, first);
        let inside = |outer: &RankedRange| item.end <= outer.end && item.rank <= outer.rank;
        if !open.last().is_none_or(inside) {
            return false;
        }
        open.push(*item);
        change(changes, first, (item.begin, Some(item.value)));
    }
    close(open, u64::MAX, changes, first);
    true
}

/// Closes the ranges that end at or before `until`.
fn close(open: &mut Vec<RankedRange>, until: u64, changes: &mut Vec<ValueChange>, first: usize) {
    while let Some(ended) = open.pop_if(|item| item.end <= until) {
        let outer = open.last().map(|outer| outer.value);
        change(changes, first, (ended.end, outer));
    }
}

/// Adds a change to those from `first` on. If there are several at one address, the last
/// one is kept.
fn change(changes: &mut Vec<ValueChange>, first: usize, new: ValueChange) {
    if changes.len() > first {
        changes.pop_if(|last| last.0 == new.0);
    }
    let before = changes.get(first..).and_then(<[_]>::last);
    if before.and_then(|last| last.1) != new.1 {
        changes.push(new);
    }
}

/// The general path of [`innermost`], for any ranges.
///
/// A range that has ended stays in the heap until it is at the top: its end matters only
/// then.
fn overlapping(
    items: &[RankedRange],
    active: &mut BinaryHeap<Reverse<(u32, u64, u64, u32)>>,
    mut found: impl FnMut(ValueChange),
) {
    active.clear();
    let mut items = items.iter().peekable();
    let mut last = None;
    loop {
        let best_end = active.peek().map(|Reverse(best)| best.2);
        let next = items.peek().map(|item| item.begin);
        let Some(at) = next.into_iter().chain(best_end).min() else {
            break;
        };
        while active.peek().is_some_and(|Reverse(best)| best.2 <= at) {
            active.pop();
        }
        while let Some(item) = items.next_if(|item| item.begin == at) {
            active.push(Reverse((
                item.rank,
                u64::MAX ^ item.begin,
                item.end,
                item.value,
            )));
        }
        let best = active.peek().map(|Reverse(best)| best.3);
        if best != last {
            found((at, best));
            last = best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Overlaps, RankedRange};

    fn items(ranges: &[(u64, u64, u32)]) -> Vec<RankedRange> {
        let numbered = ranges.iter().zip(0..);
        numbered
            .map(|(&(begin, end, rank), value)| RankedRange {
                begin,
                end,
                rank,
                value,
            })
            .collect()
    }

    #[test]
    fn the_innermost_range_goes_first() {
        let overlaps = Overlaps::new(
            items(&[
                (10, 50, 0),
                (20, 30, 0),
                (60, 70, 0),
                (20, 30, 0),
                (40, 40, 0),
                (9, 8, 0),
            ]),
            2,
        );
        let cases: [(u64, &[u32]); 9] = [
            (9, &[]),
            (10, &[0]),
            (19, &[0]),
            (20, &[1, 3]),
            (30, &[0]),
            (49, &[0]),
            (50, &[]),
            (60, &[2]),
            (u64::MAX, &[]),
        ];
        for (addr, want) in cases {
            assert_eq!(overlaps.find(addr), want, "{addr}");
        }
    }

    #[test]
    fn rank_goes_before_nesting() {
        let overlaps = Overlaps::new(items(&[(0, 100, 0), (10, 20, 1)]), 1);
        assert_eq!(overlaps.find(15), [0]);
    }

    #[test]
    fn a_naive_search_agrees() {
        // A simple generator suffices to produce all kinds of overlaps.
        let mut state = 1_u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..400 {
            let ranges: Vec<(u64, u64, u32)> = (0..next(7))
                .map(|_| {
                    let begin = next(30);
                    // Short ranges are sometimes disjoint.
                    let end = if round % 2 == 0 {
                        next(30)
                    } else {
                        begin + next(4)
                    };
                    (begin, end, u32::try_from(next(2)).unwrap())
                })
                .collect();
            let list = items(&ranges);
            let overlaps = Overlaps::new(list.clone(), 3);
            let best = Overlaps::new(list.clone(), 1);
            for addr in 0..32 {
                let mut want: Vec<&RankedRange> = list
                    .iter()
                    .filter(|item| item.begin <= addr && addr < item.end)
                    .collect();
                want.sort_by_key(|item| (item.rank, u64::MAX - item.begin, item.end, item.value));
                let want: Vec<u32> = want.iter().take(3).map(|item| item.value).collect();
                assert_eq!(overlaps.find(addr), want, "{addr} in {ranges:?}");
                let first = want.get(..1).unwrap_or_default();
                assert_eq!(best.find(addr), first, "{addr} in {ranges:?}");
            }
        }
    }
}
