//! A failed operation on a file: what was to be done, on which file, and why it failed.

use std::path::{Path, PathBuf};
use std::{error, fmt};

use crate::error::Error;

/// A failed operation on a file, such as `open /a: Permission denied (os error 13)`.
///
/// It takes one pointer, so that an operation that succeeds does not pay for what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    operation: &'static str,
    path: Option<PathBuf>,
    error: Error,
}

impl FileError {
    /// Returns the error of an operation on the file at this path; `None` if only a descriptor
    /// of the file is known.
    #[must_use]
    pub fn new(operation: &'static str, path: Option<&Path>, error: impl Into<Error>) -> Self {
        Self(Box::new(Parts {
            operation,
            path: path.map(Path::to_owned),
            error: error.into(),
        }))
    }

    /// Sets the path, for a caller that knows more of the file than its descriptor or its name
    /// in a directory.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// Returns the failed operation: `open`, `read`, `map`, …
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Returns the path of the file; `None` if only a descriptor of it is known.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Returns why it failed. Its text does not repeat the path.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// Returns the same by value, for a caller that names the file itself.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.0.error
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
