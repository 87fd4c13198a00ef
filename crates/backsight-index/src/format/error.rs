//! Why there is no index.

use std::path::{Path, PathBuf};

use backsight_files::Error;

use super::layout::VERSION;

/// Why a file does not serve as an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It cannot be opened, read or written, or is no regular file.
    #[error("{operation} {}: {error}", path.display())]
    File {
        /// What was to be done: `open`, `read`, `write`, `list`, …
        operation: &'static str,
        /// The path of the index, or of its directory.
        path: PathBuf,
        /// Why not.
        error: Error,
    },
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
        Self::File {
            operation,
            path: path.to_owned(),
            error: error.into(),
        }
    }
}
