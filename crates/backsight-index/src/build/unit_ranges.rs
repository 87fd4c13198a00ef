//! The ranges of code of each unit, and which unit is preferred.

use super::code_offsets::CodeOffsets;
use crate::format::NONE;
use crate::overlaps::Overlaps;

/// Ranges of code with their units, ascending and disjoint.
#[derive(Debug, Default)]
pub struct UnitRanges {
    spans: Vec<UnitSpan>,
    units: Vec<u32>,
    /// Whether ranges are missing because a limit was reached.
    pub limited: bool,
}

#[derive(Clone, Copy, Debug)]
struct UnitSpan {
    begin: u32,
    end: u32,
    first: usize,
    count: usize,
}

impl UnitRanges {
    /// Adds these ranges where there are none yet. `units` has the unit of each value in
    /// `overlaps`.
    pub fn fill(&mut self, overlaps: &Overlaps, units: &[u32], code: &CodeOffsets) {
        let before = std::mem::take(&mut self.spans);
        let mut known = before.iter().peekable();
        for (begin, end, values) in overlaps.spans() {
            let (first, count) = (self.units.len(), values.len());
            let unit = |value: &u32| units.get(usize::try_from(*value).ok()?).copied();
            self.units
                .extend(values.iter().map(|value| unit(value).unwrap_or(NONE)));
            code.parts(begin, end, |_, begin, end| {
                let mut push = |begin: u32, end: u32| {
                    if begin < end {
                        self.spans.push(UnitSpan {
                            begin,
                            end,
                            first,
                            count,
                        });
                    }
                };
                let mut at = begin;
                while let Some(span) = known.peek().filter(|span| span.begin < end) {
                    push(at, span.begin);
                    at = at.max(span.end);
                    if span.end > end {
                        break;
                    }
                    known.next();
                }
                push(at, end);
            });
        }
        self.spans.extend(before);
        self.spans.sort_unstable_by_key(|span| span.begin);
    }

    /// Returns the ranges that end after `at`: start, end, and units, the preferred
    /// first.
    pub(crate) fn from(&self, at: u32) -> impl Iterator<Item = (u32, u32, &[u32])> {
        let from = self.spans.partition_point(|span| span.end <= at);
        let spans = self.spans.get(from..).unwrap_or_default().iter();
        spans.map(|span| {
            let units = self.units.get(span.first..).unwrap_or_default();
            let units = units.get(..span.count).unwrap_or_default();
            (span.begin, span.end, units)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::UnitRanges;
    use crate::build::code_offsets::CodeOffsets;
    use crate::overlaps::{Overlaps, RankedRange};

    fn overlaps(ranges: &[(u64, u64, u32)]) -> Overlaps {
        let items = ranges.iter().map(|&(begin, end, value)| RankedRange {
            begin,
            end,
            rank: 0,
            value,
        });
        Overlaps::new(items.collect(), 16)
    }

    #[test]
    fn listed_units_come_first() {
        let listed = overlaps(&[(10, 20, 1), (30, 40, 2), (35, 38, 3)]);
        let all = overlaps(&[(0, 35, 7), (45, 50, 8)]);
        let code = CodeOffsets::new([(5, 100)].into_iter()).unwrap();
        let mut ranges = UnitRanges::default();
        let units: Vec<u32> = (0..10).collect();
        ranges.fill(&listed, &units, &code);
        ranges.fill(&all, &units, &code);
        let spans: Vec<(u32, u32, Vec<u32>)> = ranges
            .from(0)
            .map(|(begin, end, units)| (begin + 5, end + 5, units.to_vec()))
            .collect();
        let want = [
            (5, 10, vec![7]),
            (10, 20, vec![1]),
            (20, 30, vec![7]),
            (30, 35, vec![2]),
            (35, 38, vec![3, 2]),
            (38, 40, vec![2]),
            (45, 50, vec![8]),
        ];
        assert_eq!(spans, want);
        assert_eq!(ranges.from(20).count(), 5);
    }
}
