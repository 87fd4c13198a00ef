//! Which inlined call is in which.
//!
//! A record says how many calls are around it, and not which: that is the call one level up
//! that has the same code. `dump_syms` writes one record for a call whose code is in several
//! calls around it, and not always behind all of these. So records are taken level by level,
//! and split where the calls around them end.

use std::collections::HashMap;
use std::ops::Range;

use super::record::InlinedRecord;
use crate::function_record::InlinedCall;

/// How deep inlined calls are followed.
const MAX_DEPTH: u32 = 1024;

/// Parts that one function's records are split into, for each of their ranges. Forged records
/// may all be split where others are.
const PARTS_PER_RANGE: usize = 16;

/// The calls that are inlined into a function.
#[derive(Debug, Default)]
pub(super) struct InlineTree {
    /// A call is behind the one that it is in.
    pub(super) calls: Vec<InlinedCall>,
    /// Whether some code of a call is in no call one level up, or in two calls of one level.
    pub(super) is_damaged: bool,
}

/// The code of one level: which call is at each part of it. Ascending, and without overlaps.
type LevelParts = Vec<(Range<u64>, Option<usize>)>;

impl InlineTree {
    /// Puts the records of a function together, in any order.
    pub(super) fn of(function: &Range<u64>, mut records: Vec<InlinedRecord<'_>>) -> Self {
        let mut tree = Self::default();
        records.sort_by_key(|record| record.level);
        let mut around = vec![(function.clone(), None)];
        let mut wanted = 0;
        let mut left = 0_usize;
        for level in records.chunk_by(|a, b| a.level == b.level) {
            let number = level.first().map_or(0, |record| record.level);
            if number != wanted || number >= MAX_DEPTH {
                // Nothing is around these, and those behind are deeper.
                tree.is_damaged = true;
                break;
            }
            wanted = number.saturating_add(1);
            let ranges = tree.ranges(level);
            left = left.saturating_add(ranges.len().saturating_mul(PARTS_PER_RANGE));
            around = tree.add_level(level, &ranges, &around, &mut left);
        }
        tree
    }

    /// Returns the code of each record of a level. Where two have the same, the one that
    /// begins last has it.
    fn ranges(&mut self, level: &[InlinedRecord<'_>]) -> Vec<(Range<u64>, usize)> {
        let all = level.iter().zip(0_usize..).flat_map(|(record, number)| {
            let ranges = record.ranges().unwrap_or_default().into_iter();
            ranges.map(move |range| (range, number))
        });
        let mut all: Vec<(Range<u64>, usize)> = all.filter(|(it, _)| !it.is_empty()).collect();
        all.sort_by_key(|(range, _)| range.start);
        let mut next = u64::MAX;
        for (range, _) in all.iter_mut().rev() {
            if range.end > next {
                range.end = next;
                self.is_damaged = true;
            }
            next = range.start;
        }
        all.retain(|(range, _)| !range.is_empty());
        all
    }

    fn add_level(
        &mut self,
        level: &[InlinedRecord<'_>],
        ranges: &[(Range<u64>, usize)],
        around: &LevelParts,
        left: &mut usize,
    ) -> LevelParts {
        let mut known: HashMap<(usize, Option<usize>), usize> = HashMap::new();
        let mut parts = LevelParts::new();
        let mut rest = around.as_slice();
        for (range, number) in ranges {
            let behind = rest.partition_point(|(outer, _)| outer.end <= range.start);
            rest = rest.get(behind..).unwrap_or_default();
            let mut at = range.start;
            for (outer, into) in rest {
                let part = range.start.max(outer.start)..range.end.min(outer.end);
                if part.is_empty() {
                    break;
                }
                let Some(record) = level.get(*number).filter(|_| *left > 0) else {
                    self.is_damaged = true;
                    return parts;
                };
                *left = left.saturating_sub(1);
                self.is_damaged |= part.start != at;
                at = part.end;
                let call = *known.entry((*number, *into)).or_insert_with(|| {
                    self.calls.push(InlinedCall {
                        into: *into,
                        depth: record.level,
                        ranges: Vec::new(),
                        name: record.origin,
                        file: record.file,
                        line: record.line,
                    });
                    self.calls.len().saturating_sub(1)
                });
                if let Some(call) = self.calls.get_mut(call) {
                    call.ranges.push(part.clone());
                }
                parts.push((part, Some(call)));
            }
            self.is_damaged |= at != range.end;
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::{InlineTree, PARTS_PER_RANGE};
    use crate::breakpad::record::{InlinedRecord, Record, parse};

    fn tree(lines: &[&str]) -> InlineTree {
        let parsed = lines.iter().map(|line| match parse(line.as_bytes()) {
            Some(Record::Inlined(record)) => record,
            other => panic!("{other:?}"),
        });
        let records: Vec<InlinedRecord<'_>> = parsed.collect();
        InlineTree::of(&(0x10..0x100), records)
    }

    /// Name, the name around it, and where it begins.
    fn shown(tree: &InlineTree) -> Vec<(u32, Option<u32>, Vec<u64>)> {
        let calls = tree.calls.iter();
        let shown = calls.map(|call| {
            let into = call.into.map(|into| tree.calls[into].name);
            let starts = call.ranges.iter().map(|range| range.start);
            (call.name, into, starts.collect())
        });
        shown.collect()
    }

    #[test]
    fn a_call_is_in_the_one_that_has_the_same_code() {
        // The last is in two calls, one of which precedes the other's own calls.
        let lines = [
            "INLINE 0 1 0 1 10 8",
            "INLINE 0 1 0 2 20 8",
            "INLINE 1 1 0 3 22 2",
            "INLINE 1 1 0 4 10 4 24 4",
        ];
        let mut turned = lines;
        turned.reverse();
        let want = vec![
            (1, None, vec![0x10]),
            (2, None, vec![0x20]),
            (4, Some(1), vec![0x10]),
            (3, Some(2), vec![0x22]),
            (4, Some(2), vec![0x24]),
        ];
        let found = tree(&lines);
        assert!(!found.is_damaged);
        assert_eq!(shown(&found), want);
        let mut found = shown(&tree(&turned));
        found.sort_by_key(|call| want.iter().position(|other| other == call));
        assert_eq!(found, want);
    }

    #[test]
    fn contradictions_are_damage() {
        for lines in [
            // Nothing is around it.
            vec!["INLINE 1 1 0 1 10 8"],
            vec!["INLINE 0 1 0 1 10 8", "INLINE 2 1 0 1 10 8"],
            vec!["INLINE 0 1 0 1 10 8", "INLINE 1 1 0 2 30 8"],
            // Partly around it, and outside of the function.
            vec!["INLINE 0 1 0 1 10 8", "INLINE 1 1 0 2 14 8"],
            vec!["INLINE 0 1 0 1 fc 8"],
            // In two calls of one level.
            vec!["INLINE 0 1 0 1 10 8", "INLINE 0 1 0 2 14 8"],
        ] {
            assert!(tree(&lines).is_damaged, "{lines:?}");
        }
    }

    #[test]
    fn records_are_not_split_without_end() {
        let many = (0..100).map(|at| format!("INLINE 0 1 0 1 {:x} 1", 0x10 + at * 2));
        let mut lines: Vec<String> = many.collect();
        lines.push(format!("INLINE 1 1 0 2{}", " 10 c8".repeat(2)));
        lines.extend((2..60).map(|level| format!("INLINE {level} 1 0 2 10 c8")));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let found = tree(&lines);
        let parts: usize = found.calls.iter().map(|call| call.ranges.len()).sum();
        assert!(
            found.is_damaged && parts <= lines.len() * PARTS_PER_RANGE * 2,
            "{parts}"
        );
    }
}
