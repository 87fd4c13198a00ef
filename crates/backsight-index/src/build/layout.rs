//! Concatenates the rows of placed blocks: counts them first, then all threads write to
//! their parts of the result.

use rayon::prelude::*;

use super::blocks::PlacedBlock;
use crate::format::{Le32, NONE, OffsetRow};

/// Blocks that one thread lays out at a time.
const BLOCKS_PER_TASK: usize = 1024;

/// Rows of one unit: their start, and their value.
type UnitRowSlice<'u> = &'u [(Le32, Le32)];

/// Lays out the rows of placed blocks. `rows` returns the rows of a unit, and a function
/// that converts a value in them to its row in the index.
pub(super) fn lay_out<'u, F: Fn(u32) -> u32>(
    placed: &[PlacedBlock],
    rows: impl Fn(usize) -> Option<(UnitRowSlice<'u>, F)> + Sync,
) -> Vec<OffsetRow> {
    let rows_of_unit = |block: &PlacedBlock| rows(usize::try_from(block.unit).ok()?);
    let count = |(placed, next): (&[PlacedBlock], u32)| {
        let counts = with_gaps(placed, next).map(|(block, gap)| {
            let rows = rows_of_unit(block).map_or(0, |(rows, _)| rows_of(rows, block).len());
            rows.saturating_add(usize::from(gap))
        });
        counts.sum::<usize>()
    };
    let counts: Vec<usize> = chunks(placed).map(count).collect();
    let mut laid_out: Vec<OffsetRow> = bytemuck::zeroed_vec(counts.iter().sum());
    let mut rest = laid_out.as_mut_slice();
    let rooms = counts.iter().map(|count| {
        let (room, after) = std::mem::take(&mut rest).split_at_mut(*count);
        rest = after;
        room
    });
    let rooms: Vec<&mut [OffsetRow]> = rooms.collect();
    chunks(placed)
        .zip(rooms)
        .for_each(|((placed, next), room)| {
            let mut room = room.iter_mut();
            for (block, gap) in with_gaps(placed, next) {
                if let Some((rows, row)) = rows_of_unit(block) {
                    let rows = rows_of(rows, block);
                    // `rows` is first in the zip: if it ends first, no element of `room`
                    // is lost.
                    for ((start, named), to) in rows.iter().zip(room.by_ref()) {
                        *to = OffsetRow::new(start.get().max(block.begin), row(named.get()));
                    }
                }
                if let Some(to) = gap.then(|| room.next()).flatten() {
                    *to = OffsetRow::new(block.end, NONE);
                }
            }
        });
    laid_out
}

/// Returns chunks of blocks, each with the start of the first block after it.
fn chunks(placed: &[PlacedBlock]) -> impl IndexedParallelIterator<Item = (&[PlacedBlock], u32)> {
    let next_of = |at: usize| {
        let next = at.saturating_add(1).saturating_mul(BLOCKS_PER_TASK);
        placed.get(next).map_or(NONE, |block| block.begin)
    };
    let chunks = placed.par_chunks(BLOCKS_PER_TASK).enumerate();
    chunks.map(move |(at, chunk)| (chunk, next_of(at)))
}

/// Returns each block and whether a gap follows it.
fn with_gaps(placed: &[PlacedBlock], next: u32) -> impl Iterator<Item = (&PlacedBlock, bool)> {
    let begins = placed.iter().skip(1).map(|block| block.begin);
    let begins = begins.chain(std::iter::once(next));
    let pairs = placed.iter().zip(begins);
    pairs.map(|(block, next)| (block, block.end < next))
}

/// Returns the rows within the placed block, which may be a part of the original block.
fn rows_of<'r>(rows: &'r [(Le32, Le32)], block: &PlacedBlock) -> &'r [(Le32, Le32)] {
    let first = usize::try_from(block.first).unwrap_or(usize::MAX);
    let count = usize::try_from(block.count).unwrap_or(0);
    let rows = rows.get(first..).and_then(|rows| rows.get(..count));
    let rows = rows.unwrap_or_default();
    let from = rows.partition_point(|row| row.0.get() <= block.begin);
    let to = rows.partition_point(|row| row.0.get() < block.end);
    rows.get(from.saturating_sub(1)..to).unwrap_or_default()
}
