//! What reading a file may cost.

/// What a hostile file may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
