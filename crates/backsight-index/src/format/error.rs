//! The errors of index files.

use std::path::Path;

use backsight_types::FileError;

use super::layout::VERSION;

/// A failed operation on an index: operation, path and cause. For example `read /a.index:
/// a damaged symbol index: its header is wrong; build it again`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct IndexError(FileError<IndexCause>);

impl IndexError {
    /// Returns an error. The path is that of the index, or of its directory; `None` for
    /// bytes in memory.
    pub(crate) fn new(
        operation: &'static str,
        path: Option<&Path>,
        cause: impl Into<IndexCause>,
    ) -> Self {
        Self(FileError::new(operation, path, cause))
    }

    /// Returns the error of an operation on the file at this path.
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

    /// Returns the cause. Its text does not repeat the path.
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

/// Why an operation on an index failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexCause {
    /// The file cannot be opened, read or written, or is not a regular file.
    #[error(transparent)]
    File(#[from] backsight_files::Error),
    /// The file does not start like an index.
    #[error("not a symbol index")]
    NotAnIndex,
    /// It was written by another version, and must be built again.
    #[error("a symbol index of version {0}, where {expected} is read: build it again", expected = VERSION)]
    Version(u32),
    /// Its contents are inconsistent.
    #[error("a damaged symbol index: {0} is wrong; build it again")]
    Malformed(&'static str),
    /// Other users can change it, or its directory.
    #[error("others can change it: make this user or root its owner, and run chmod go-w")]
    NotOurs,
    /// Other users can change a file that it was built from. In a shared directory, they
    /// would control the answers for every file with that build ID, so it is not kept
    /// there.
    #[error("built from a file that others can change: write it to a separate file")]
    Untrusted,
    /// It has no build ID, by which a directory keeps indexes.
    #[error("a symbol index without build ID: write it to a separate file")]
    NoBuildId,
    /// It belongs to another module.
    #[error("the symbol index of {own}, where that of {wanted} was looked for")]
    OtherBuild {
        /// Its own build, such as `build ID 77c7aa4d`, or `a build without ID`.
        own: String,
        /// The build that was looked for.
        wanted: String,
    },
}
