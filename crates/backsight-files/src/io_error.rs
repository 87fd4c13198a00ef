//! An I/O error as a plain value.

use std::fmt;
use std::io::ErrorKind;

/// An I/O error as a plain value. The path is stored separately, or the caller has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoError {
    kind: ErrorKind,
    errno: Option<i32>,
}

impl IoError {
    /// Returns the kind of error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the errno, such as `EMFILE`; `None` if it is not an error of a system call.
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
