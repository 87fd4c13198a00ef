//! Why there is no index.

use std::io;

use super::layout::VERSION;
use crate::Error;

/// Why a file does not serve as an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It cannot be opened, read or written, or is no regular file.
    #[error(transparent)]
    File(#[from] Error),
    /// It does not begin like one.
    #[error("not a symbol index")]
    NotAnIndex,
    /// It was written by another version, and has to be built again.
    #[error("a symbol index of version {0}, where {expected} is read: build it again", expected = VERSION)]
    Version(u32),
    /// It contradicts itself.
    #[error("a damaged symbol index: {0} is wrong; build it again")]
    Malformed(&'static str),
    /// It describes another module.
    #[error("the symbol index of another build ID")]
    BuildIdMismatch,
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::File(error.into())
    }
}
