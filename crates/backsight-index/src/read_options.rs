//! How the file of an index is read.

use backsight_files::Access;

/// How the file of an index is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Whether the file is mapped or read.
    pub access: Access,
    /// The maximum size in bytes of a file that is read because it cannot be mapped
    /// safely. The default is 1 GiB.
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
    /// Sets whether the file is mapped or read.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Sets the maximum size in bytes of a file that is read.
    #[must_use]
    pub fn with_file_bytes(self, file_bytes: u64) -> Self {
        Self { file_bytes, ..self }
    }
}
