//! Why a file does not serve as an index.

use std::path::Path;

use backsight_types::FileError;

use super::layout::VERSION;

/// A failed operation on an index: what was to be done, on which file, and the cause. Such as
/// `read /a.index: a damaged symbol index: its header is wrong; build it again`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct IndexError(FileError<IndexCause>);

impl IndexError {
    /// The path is that of the index, or of its directory; `None` for bytes in memory.
    pub(crate) fn new(
        operation: &'static str,
        path: Option<&Path>,
        cause: impl Into<IndexCause>,
    ) -> Self {
        Self(FileError::new(operation, path, cause))
    }

    /// An operation that failed, on the file of this path.
    pub(crate) fn of_file(
        operation: &'static str,
        path: &Path,
        cause: impl Into<IndexCause>,
    ) -> Self {
        Self::new(operation, Some(path), cause)
    }

    /// Returns the failed operation: `open`, `read`, `map`, `write`, `list`, `keep`, `verify`, …
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation()
    }

    /// Returns the path of the index, or of its directory; `None` for bytes in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path()
    }

    /// Returns why it failed. Its text does not repeat the path.
    #[must_use]
    pub fn cause(&self) -> &IndexCause {
        self.0.error()
    }
}

impl From<backsight_files::FileError> for IndexError {
    fn from(error: backsight_files::FileError) -> Self {
        Self::new(error.operation(), error.path(), error.error().clone())
    }
}

impl From<std::io::Error> for IndexCause {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.into())
    }
}

/// Why a file does not serve as an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexCause {
    /// It cannot be opened, read or written, or is no regular file.
    #[error(transparent)]
    File(#[from] backsight_files::Error),
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
