//! What reading a file may cost.

/// What a hostile file may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most memory that the unpacked message and what becomes of it may take
    /// together, in bytes, counted to within a factor of two.
    pub memory: u64,
}

impl Default for Limits {
    /// One GiB.
    fn default() -> Self {
        Self { memory: 1 << 30 }
    }
}

impl Limits {
    /// Sets the most memory that may be taken, in bytes.
    #[must_use]
    pub const fn with_memory(self, memory: u64) -> Self {
        Self { memory }
    }
}
