//! The buckets, which narrow a search to a few rows.

use super::layout::{Bucket, Le32, OffsetRow};

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
