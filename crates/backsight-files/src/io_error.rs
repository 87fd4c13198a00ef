//! What the system says of a file, as a value.

use std::fmt;
use std::io::ErrorKind;

/// What the system said of a file, whose path stands beside it or is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoError {
    kind: ErrorKind,
    errno: Option<i32>,
}

impl IoError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The system's number of it, `EMFILE` for one; `None` when it is not the system's.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.errno
    }
}

impl From<std::io::Error> for IoError {
    fn from(error: std::io::Error) -> Self {
        Self {
            kind: error.kind(),
            errno: error.raw_os_error(),
        }
    }
}

impl From<ErrorKind> for IoError {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, errno: None }
    }
}

impl From<IoError> for std::io::Error {
    fn from(error: IoError) -> Self {
        match error.errno {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::from(error.kind),
        }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::io::Error::from(*self).fmt(f)
    }
}
