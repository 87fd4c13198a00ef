//! Why there is no index.

use std::io;

use backsight_files::Error;

use super::layout::VERSION;

/// Why a file does not serve as an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It cannot be opened, read or written, or is no regular file.
    #[error("{}", cause(.0))]
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
    /// Others can change it, or the directory that it is in.
    #[error("others can change it: have it owned by this user or root, with chmod go-w")]
    NotOurs,
    /// A file that it was built from can be changed by others, who would decide what it
    /// says of each file of that build ID: it is not kept where it is shared.
    #[error("built from a file that others can change: write it to a file of its own")]
    OfStrangers,
    /// It describes another module.
    #[error("the symbol index of another build ID")]
    BuildIdMismatch,
}

/// What an index is not read or written for: the system's words alone would not say which.
fn cause(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("cannot be read: {error}"),
        other => other.to_string(),
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::File(error.into())
    }
}
