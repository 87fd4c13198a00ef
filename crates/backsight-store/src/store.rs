//! The store.

use std::path::{Path, PathBuf};

/// A directory of files by build ID, which several processes may use at once.
///
/// Nothing is read or written before a method is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in this directory, which the first file that is added creates. Only this user
    /// and root may be able to write to it.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Returns the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }
}
