//! The buckets, which narrow a search to a few rows.

use super::layout::{Bucket, Le32, OffsetRow};

/// Buckets per row that an index has at most, beside [`MIN_BUCKETS`]. Usual code has several
/// rows in each bucket; one symbol of a damaged file can claim gigabytes.
const BUCKETS_PER_ROW: usize = 16;

const MIN_BUCKETS: usize = 4096;

/// Returns the shift for buckets of `usual` or, if few rows cover much code, of larger ones, so
/// that the buckets take memory by the rows and not by the size that the code claims.
pub(crate) fn bucket_shift(usual: u32, rows: usize, code_size: u32) -> u32 {
    let most = rows.saturating_mul(BUCKETS_PER_ROW);
    let most = most.saturating_add(MIN_BUCKETS);
    let count = |shift: u32| usize::try_from(code_size >> shift).unwrap_or(usize::MAX);
    let fits = |shift: &u32| count(*shift) <= most;
    (usual..u32::BITS).find(fits).unwrap_or(usual)
}

/// Returns for each bucket of `1 << shift` code offsets how many rows start before its
/// end.
pub(crate) fn buckets(
    scopes: &[OffsetRow],
    lines: &[OffsetRow],
    shift: u32,
    code_size: u32,
) -> Vec<Bucket> {
    let count = usize::try_from(code_size >> shift).map_or(0, |last| last.saturating_add(1));
    let mut buckets = Vec::with_capacity(count);
    let mut counted = [scopes, lines].map(|rows| (rows.iter().peekable(), 0_u32));
    for bucket in 0_u32..=(code_size >> shift) {
        for (rest, rows) in &mut counted {
            while rest
                .next_if(|row| row.start.get() >> shift <= bucket)
                .is_some()
            {
                *rows = rows.saturating_add(1);
            }
        }
        let [scopes, lines] = [0, 1].map(|of: usize| counted.get(of).map_or(0, |(_, rows)| *rows));
        buckets.push(Bucket {
            scopes: Le32::new(scopes),
            lines: Le32::new(lines),
        });
    }
    buckets
}
