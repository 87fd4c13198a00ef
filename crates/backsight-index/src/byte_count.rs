//! Counts the bytes of tables while lookups add to them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sum of bytes. Only the tables are counted, without the overhead of the allocator.
#[derive(Debug, Default)]
pub struct ByteCount(AtomicU64);

impl ByteCount {
    /// Adds this many bytes.
    #[inline]
    pub fn add(&self, bytes: usize) {
        // The size of tables in memory fits 64 bits.
        self.0.fetch_add(wide(bytes), Ordering::Relaxed);
    }

    /// Returns the sum so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns the bytes that the rows of a table take.
#[inline]
pub fn bytes_of<T>(rows: &[T]) -> usize {
    size_of_val(rows)
}

/// Returns a number of bytes as 64 bits.
#[inline]
pub fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
