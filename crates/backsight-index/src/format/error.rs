//! Why there is no index.

use std::path::Path;

use backsight_files::{Error, FileError};

use super::layout::VERSION;

/// Why a file does not serve as an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It cannot be opened, read or written, or is no regular file.
    /// The operation is `open`, `read`, `map`, `write`, `list`, …; the path is that of the index,
    /// or of its directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// It does not begin like one.
    #[error("not a symbol index")]
    NotAnIndex,
    /// It was written by another version, and has to be built again.
    #[error("a symbol index of version {0}, where {expected} is read: build it again", expected = VERSION)]
    Version(u32),
    /// It contradicts itself.
    #[error("a damaged symbol index: {0} is wrong; build it again")]
    Malformed(&'static str),
    /// Others can change it, or the directory that it is in.
    #[error("others can change it: have it owned by this user or root, with chmod go-w")]
    NotOurs,
    /// A file that it was built from can be changed by others. In a shared directory they
    /// would decide the answers for every file of that build ID, so it is not kept there.
    #[error("built from a file that others can change: write it to a file of its own")]
    OfStrangers,
    /// It describes another module.
    #[error("the symbol index of another build ID")]
    BuildIdMismatch,
}

impl IndexError {
    /// An operation that failed, on the file of this path.
    pub(crate) fn of_file(operation: &'static str, path: &Path, error: impl Into<Error>) -> Self {
        Self::File(FileError::new(operation, Some(path), error))
    }
}
