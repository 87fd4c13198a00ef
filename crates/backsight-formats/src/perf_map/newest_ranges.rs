//! Finds the range that covers an address, where later ranges hide earlier ones.

use std::collections::BinaryHeap;

/// Spans that do not overlap, sorted by start, each with the index of its range.
#[derive(Debug, Default)]
pub(super) struct NewestRanges {
    starts: Vec<u64>,
    spans: Vec<(u64, u32)>,
}

impl NewestRanges {
    /// Builds the spans of ranges, of which later ones hide earlier ones. Takes O(n log n) time,
    /// and makes at most two spans per range.
    pub(super) fn new(ranges: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut ranges: Vec<(u64, u64, u32)> = (0..)
            .zip(ranges)
            .map(|(at, (start, end))| (start, end, at))
            .collect();
        ranges.sort_by_key(|(start, ..)| *start);
        let mut newest = Self::default();
        let mut coming = ranges.into_iter().peekable();
        let mut here: BinaryHeap<(u32, u64)> = BinaryHeap::new();
        let mut at = 0_u64;
        loop {
            while here.peek().is_some_and(|(_, end)| *end <= at) {
                here.pop();
            }
            let next = coming.peek().map(|(start, ..)| *start);
            match (here.peek(), next) {
                (None, None) => return newest,
                (None, Some(start)) => at = start,
                (Some((number, end)), next) => {
                    let until = next.map_or(*end, |next| next.min(*end));
                    newest.push(at, until, *number);
                    at = until;
                }
            }
            while let Some((_, end, number)) = coming.next_if(|(start, ..)| *start <= at) {
                here.push((number, end));
            }
        }
    }

    /// Returns the number of bytes that it keeps in memory.
    pub(super) fn byte_count(&self) -> usize {
        let starts = self.starts.capacity().saturating_mul(size_of::<u64>());
        let spans = self
            .spans
            .capacity()
            .saturating_mul(size_of::<(u64, u32)>());
        starts.saturating_add(spans)
    }

    fn push(&mut self, start: u64, end: u64, number: u32) {
        if start >= end {
            return;
        }
        if let Some((last, same)) = self.spans.last_mut()
            && (*last, *same) == (start, number)
        {
            *last = end;
            return;
        }
        self.starts.push(start);
        self.spans.push((end, number));
    }

    /// Returns the index of the range that is visible at an address.
    pub(super) fn at(&self, addr: u64) -> Option<usize> {
        let behind = self.starts.partition_point(|start| *start <= addr);
        let (end, number) = *self.spans.get(behind.checked_sub(1)?)?;
        let number = usize::try_from(number).ok();
        number.filter(|_| addr < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NewestRanges;

    proptest! {
        #[test]
        fn the_last_range_counts(
            ranges in proptest::collection::vec((0_u64..64, 1_u64..20), 0..40)
        ) {
            let ranges: Vec<(u64, u64)> =
                ranges.into_iter().map(|(start, size)| (start, start + size)).collect();
            let newest = NewestRanges::new(ranges.iter().copied());
            for addr in 0..90 {
                let naive = ranges.iter().rposition(|(start, end)| (*start..*end).contains(&addr));
                prop_assert_eq!(newest.at(addr), naive, "{}", addr);
            }
            prop_assert!(newest.spans.len() <= 2 * ranges.len());
        }
    }
}
