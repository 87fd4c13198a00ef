//! A failed system call on a file: what was to be done, on which file, and why it failed.

use std::io;
use std::path::{Path, PathBuf};
use std::{error, fmt};

/// A failed operation on a file, such as `open /proc/1/maps: Permission denied`.
///
/// It takes one pointer, so a query that succeeds does not pay for what it holds.
#[derive(Debug)]
pub struct FileError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    operation: &'static str,
    path: Option<PathBuf>,
    error: io::Error,
}

impl FileError {
    /// An operation that failed, on the file of this path; `None` if all that is known of the
    /// file is its descriptor.
    #[must_use]
    pub fn new(operation: &'static str, path: Option<PathBuf>, error: io::Error) -> Self {
        Self(Box::new(Parts {
            operation,
            path,
            error,
        }))
    }

    /// What was to be done: `open`, `read`, …
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The path of the file; `None` if it came as a descriptor, or is a socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The error of the system call.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.0.error
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            operation,
            path,
            error,
        } = &*self.0;
        match path {
            Some(path) => write!(f, "{operation} {}: {error}", path.display()),
            None => write!(f, "{operation}: {error}"),
        }
    }
}

impl error::Error for FileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.0.error)
    }
}
