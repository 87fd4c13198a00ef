//! Orders the blocks of all units, without overlaps.

use rayon::prelude::*;

use super::part::Block;
use super::unit_ranges::UnitRanges;
use crate::overlaps::{Overlaps, RankedRange};

/// A block, or a part of one, with its final position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlacedBlock {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) unit: u32,
    /// Its first row in the unit's part.
    pub(super) first: u32,
    pub(super) count: u32,
}

/// The maximum number of overlapping blocks that are considered.
const OVERLAPPING_BLOCKS: usize = 16;

/// Orders the blocks of all units within the ranges of their units.
///
/// If blocks overlap, the preferred unit's is used; within a unit, the innermost block.
pub(super) fn place<'b>(
    blocks: impl Iterator<Item = &'b [Block]>,
    unit_ranges: &UnitRanges,
) -> Vec<PlacedBlock> {
    let mut all: Vec<PlacedBlock> = Vec::new();
    for (blocks, unit) in blocks.zip(0..) {
        all.extend(blocks.iter().map(|block| PlacedBlock {
            begin: block.begin,
            end: block.end,
            unit,
            first: block.first,
            count: block.count,
        }));
    }
    all.par_sort_unstable_by_key(|block| (block.begin, block.end, block.unit, block.first));
    let mut placed = Vec::with_capacity(all.len());
    let disjoint = |pair: &[PlacedBlock]| matches!(pair, [a, b] if a.end <= b.begin);
    if all.windows(2).all(disjoint) {
        for block in &all {
            place_best(block.begin, block.end, &[block], unit_ranges, &mut placed);
        }
        return placed;
    }
    let items = all.iter().zip(0..).map(|(block, value)| RankedRange {
        begin: block.begin.into(),
        end: block.end.into(),
        rank: 0,
        value,
    });
    let overlaps = Overlaps::new(items.collect(), OVERLAPPING_BLOCKS);
    for (begin, end, values) in overlaps.spans() {
        let candidates = values
            .iter()
            .filter_map(|at| all.get(usize::try_from(*at).ok()?));
        let candidates: Vec<&PlacedBlock> = candidates.collect();
        if let (Ok(begin), Ok(end)) = (u32::try_from(begin), u32::try_from(end)) {
            place_best(begin, end, &candidates, unit_ranges, &mut placed);
        }
    }
    placed
}

/// Places the best of the blocks that cover `begin..end`, within the ranges of their
/// units. `candidates` has the innermost block first.
fn place_best(
    begin: u32,
    end: u32,
    candidates: &[&PlacedBlock],
    unit_ranges: &UnitRanges,
    placed: &mut Vec<PlacedBlock>,
) {
    for (from, to, units) in unit_ranges.from(begin) {
        if from >= end {
            break;
        }
        let rank = |block: &&PlacedBlock| units.iter().position(|unit| *unit == block.unit);
        let ranked = candidates
            .iter()
            .filter_map(|block| Some((rank(block)?, block)));
        // With equal ranks, the first is used: the innermost.
        let Some((_, best)) = ranked.min_by_key(|(rank, _)| *rank) else {
            continue;
        };
        let (from, to) = (from.max(begin), to.min(end));
        match placed.last_mut() {
            // The same block continues after the end of a unit's range or of a block that
            // was not chosen.
            Some(last)
                if last.end == from && (last.unit, last.first) == (best.unit, best.first) =>
            {
                last.end = to;
            }
            _ => placed.push(PlacedBlock {
                begin: from,
                end: to,
                ..**best
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, place};
    use crate::build::code_offsets::CodeOffsets;
    use crate::build::unit_ranges::UnitRanges;
    use crate::overlaps::{Overlaps, RankedRange};

    fn block(begin: u32, end: u32, first: u32) -> Block {
        Block {
            begin,
            end,
            first,
            count: 1,
        }
    }

    /// Places blocks of units that have the range `0..100`, preferred in this order.
    fn placed(units: &[&[Block]], order: &[u32]) -> Vec<(u32, u32, u32, u32)> {
        let items = order.iter().zip(0..).map(|(unit, rank)| RankedRange {
            begin: 0,
            end: 100,
            rank,
            value: *unit,
        });
        let code = CodeOffsets::new([(0, 1000)].into_iter()).unwrap();
        let mut unit_ranges = UnitRanges::default();
        unit_ranges.fill(&Overlaps::new(items.collect(), 16), &[0, 1], &code);
        let placed = place(units.iter().copied(), &unit_ranges);
        let row = placed.iter();
        row.map(|block| (block.begin, block.end, block.unit, block.first))
            .collect()
    }

    #[test]
    fn blocks_of_all_units_come_in_ascending_order() {
        let units: [&[Block]; 2] = [
            &[block(20, 30, 0), block(0, 10, 1)],
            &[block(10, 20, 0), block(40, 50, 1)],
        ];
        let want = [
            (0, 10, 0, 1),
            (10, 20, 1, 0),
            (20, 30, 0, 0),
            (40, 50, 1, 1),
        ];
        assert_eq!(placed(&units, &[0, 1]), want);
    }

    #[test]
    fn a_block_is_placed_only_within_the_ranges_of_its_unit() {
        let units: [&[Block]; 2] = [&[block(90, 110, 0)], &[block(0, 10, 0)]];
        assert_eq!(placed(&units, &[0]), [(90, 100, 0, 0)]);
    }

    #[test]
    fn the_unit_that_is_asked_first_goes_before_the_innermost_block() {
        let units: [&[Block]; 2] = [&[block(0, 100, 0)], &[block(10, 20, 0), block(12, 14, 1)]];
        let inner = [
            (0, 10, 0, 0),
            (10, 12, 1, 0),
            (12, 14, 1, 1),
            (14, 20, 1, 0),
            (20, 100, 0, 0),
        ];
        assert_eq!(placed(&units, &[1, 0]), inner);
        assert_eq!(placed(&units, &[0, 1]), [(0, 100, 0, 0)]);
    }
}
