//! How the file of an index is read.

use backsight_files::Access;

/// How the file of an index is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How its bytes get into memory.
    pub access: Access,
    /// Bytes of a file that is read because it cannot be mapped safely. 1 GiB.
    pub file_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            access: Access::Auto,
            file_bytes: 1 << 30,
        }
    }
}

impl ReadOptions {
    /// The same, by this way into memory.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The same, with so many bytes to be read at most.
    #[must_use]
    pub fn with_file_bytes(self, file_bytes: u64) -> Self {
        Self { file_bytes, ..self }
    }
}
