//! The error of a failed operation on a file: operation, path and cause.

use std::path::{Path, PathBuf};
use std::{error, fmt};

/// A failed operation on a file, such as `open /proc/1/maps: Permission denied (os error
/// 13)`. The cause is an `E`, such as [`std::io::Error`].
///
/// It has the size of one pointer, so that results of successful operations stay small.
///
/// ```
/// use std::path::Path;
///
/// use backsight_types::FileError;
///
/// let denied = std::io::Error::from_raw_os_error(13);
/// let error = FileError::<std::io::Error>::new("open", Some(Path::new("/a")), denied);
/// assert_eq!(error.to_string(), "open /a: Permission denied (os error 13)");
/// assert_eq!(error.error().raw_os_error(), Some(13));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError<E>(Box<Parts<E>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts<E> {
    operation: &'static str,
    path: Option<PathBuf>,
    error: E,
}

impl<E> FileError<E> {
    /// Returns the error of an operation on the file at this path; `None` if only a descriptor
    /// of the file is known.
    #[must_use]
    pub fn new(operation: &'static str, path: Option<&Path>, error: impl Into<E>) -> Self {
        Self(Box::new(Parts {
            operation,
            path: path.map(Path::to_owned),
            error: error.into(),
        }))
    }

    /// Sets the path, for a caller that knows more than a descriptor or a name in a
    /// directory.
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

    /// Returns the path of the file; `None` if only a descriptor of it is known, or if it is a
    /// socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Returns the cause. Its text does not repeat the path.
    #[must_use]
    pub fn error(&self) -> &E {
        &self.0.error
    }

    /// Returns the same by value, for a caller that names the file itself.
    #[must_use]
    pub fn into_error(self) -> E {
        self.0.error
    }
}

impl<E: fmt::Display> fmt::Display for FileError<E> {
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

impl<E: error::Error + 'static> error::Error for FileError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.0.error)
    }
}
