//! The errors of this crate.

use std::path::PathBuf;
use std::{error, fmt, io};

use nix::errno::Errno;

/// A failed system call on a file, and its error.
pub type FileError = backsight_types::FileError<io::Error>;

/// A failed VMA query.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no such process, or `/proc` hides it from the caller (`hidepid`).
    NoSuchProcess,
    /// The process ended, before or during the query, or replaced its program by `exec`
    /// since it was opened. Kernel threads and zombies give the same error, as they have
    /// no user memory.
    ProcessGone,
    /// The caller may not ptrace-read the process (see `ptrace(2)`, "Ptrace
    /// access mode checking").
    Denied(FileError),
    /// The kernel has no `PROCMAP_QUERY` (Linux before 6.11, gVisor, a seccomp filter),
    /// and the caller allowed no other backend. The text backend works.
    Unsupported,
    /// The file descriptor that was handed in is not a maps file.
    NotMaps,
    /// The other end of the socket was closed before a maps file arrived.
    PeerClosed,
    /// A message arrived over the socket, but it did not carry exactly one descriptor.
    NotPassed {
        /// What arrived instead.
        reason: &'static str,
    },
    /// A line that is not of the format of `/proc/PID/maps`.
    Malformed {
        /// The line number, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The process changed its mappings while its maps text was read: each of several
    /// attempts gave ranges that overlap or are out of order.
    Torn,
    /// Any other failure of a system call.
    Io(FileError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchProcess => f.write_str("no such process"),
            Self::ProcessGone => {
                f.write_str("the process has ended, has exec'd, or has no user memory")
            }
            Self::Denied(error) | Self::Io(error) => error.fmt(f),
            Self::Unsupported => f.write_str("this kernel does not answer PROCMAP_QUERY"),
            Self::NotMaps => f.write_str("not a /proc/PID/maps file"),
            Self::PeerClosed => f.write_str("the other end of the socket is closed"),
            Self::NotPassed { reason } => {
                write!(f, "no maps file arrived over the socket: {reason}")
            }
            Self::Malformed { line, reason } => {
                write!(f, "malformed maps text, line {line}: {reason}")
            }
            Self::Torn => f.write_str("the maps text kept changing while it was read"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            // Its own text is that of this error already.
            Self::Denied(error) | Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Converts the error of an open below `/proc/PID`.
    pub(crate) fn from_open(path: Option<PathBuf>, error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => Self::NoSuchProcess,
            _ => Self::from_io("open", path, error),
        }
    }

    /// Converts the error of a read or query on an open maps file.
    pub(crate) fn from_io(
        operation: &'static str,
        path: Option<PathBuf>,
        error: io::Error,
    ) -> Self {
        let errno = error.raw_os_error().map(Errno::from_raw);
        match errno {
            Some(Errno::ESRCH) => Self::ProcessGone,
            Some(Errno::EACCES | Errno::EPERM) => {
                Self::Denied(FileError::new(operation, path.as_deref(), error))
            }
            _ => Self::Io(FileError::new(operation, path.as_deref(), error)),
        }
    }

    /// Returns the error of a system call on a descriptor whose path is unknown.
    pub(crate) fn of_descriptor(operation: &'static str, error: impl Into<io::Error>) -> Self {
        Self::Io(FileError::new(operation, None, error))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use nix::errno::Errno;

    use super::Error;

    #[test]
    fn each_errno_of_an_open_has_its_variant() {
        let named = |errno| Error::from_open(None, io::Error::from(errno));
        assert!(matches!(named(Errno::ENOENT), Error::NoSuchProcess));
        assert!(matches!(named(Errno::ESRCH), Error::ProcessGone));
        assert!(matches!(named(Errno::EACCES), Error::Denied(_)));
        assert!(matches!(named(Errno::EPERM), Error::Denied(_)));
        assert!(matches!(named(Errno::EMFILE), Error::Io(_)));
    }

    #[test]
    fn a_file_that_vanishes_from_an_open_process_is_no_missing_process() {
        let named = Error::from_io("read", None, io::Error::from(Errno::ENOENT));
        assert!(matches!(named, Error::Io(_)));
    }
}
