//! Why a profile cannot be read or written.

use std::error::Error;
use std::fmt::Display;

/// Why a [`ProfileFile`](crate::ProfileFile) cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileFileError {
    /// The format is not recognized.
    #[error("{0}")]
    UnknownFormat(String),
    /// An option does not fit the file.
    #[error("{0}")]
    Option(String),
    /// The format has times, and the profile was read without them.
    #[error("{what}: the format has times, which were summed up: read the profile with times")]
    TimesSummed {
        /// What was to be written.
        what: String,
    },
    /// It cannot be read or written.
    #[error("{what}: {error}")]
    Failed {
        /// The file.
        what: String,
        /// The cause.
        #[source]
        error: Box<dyn Error + Send + Sync>,
    },
}

impl ProfileFileError {
    pub(super) fn of(what: impl Display, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed {
            what: what.to_string(),
            error: error.into(),
        }
    }
}
