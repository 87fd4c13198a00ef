//! How files are added, and how many.

/// How files are added, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddOptions {
    /// Whether to make hard links where that is possible: the file is on the filesystem of the
    /// store, and only this user and root can change it. Whoever writes into the file changes
    /// the store's, too, which is noticed then but not undone. Default: false.
    pub link: bool,
    /// Bytes of one file. Default: 16 GiB.
    pub file_bytes: u64,
    /// Entries of a directory and its subdirectories that are read. Default: 2^20.
    pub entries: u64,
    /// How deep directories may be nested. One descriptor is open for each. Default: 64.
    pub depth: usize,
}

impl Default for AddOptions {
    fn default() -> Self {
        Self {
            link: false,
            file_bytes: 16 << 30,
            entries: 1 << 20,
            depth: 64,
        }
    }
}

impl AddOptions {
    /// Sets whether to make hard links where that is possible.
    #[must_use]
    pub fn with_link(self, link: bool) -> Self {
        Self { link, ..self }
    }
}
