//! Limits on the memory for reading a file.

/// Limits on the memory for reading an untrusted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum memory in bytes for the decompressed message and the profile together; it is
    /// counted to within a factor of two.
    pub memory: u64,
}

impl Default for Limits {
    /// One GiB.
    fn default() -> Self {
        Self { memory: 1 << 30 }
    }
}

impl Limits {
    /// Sets the maximum memory in bytes.
    #[must_use]
    pub const fn with_memory(self, memory: u64) -> Self {
        Self { memory }
    }
}
