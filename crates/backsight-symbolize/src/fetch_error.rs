//! Why a file could not be fetched.

use std::path::PathBuf;

/// Why a file could not be fetched, though it may be there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
#[non_exhaustive]
pub struct FetchError {
    /// What it is called in [`Sought`](crate::Sought).
    pub name: PathBuf,
    /// Why, for people.
    pub why: String,
}

impl FetchError {
    /// A file by this name.
    #[must_use]
    pub fn new(name: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            why: why.into(),
        }
    }
}
