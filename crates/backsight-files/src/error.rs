//! Why a file is not opened.

use std::fmt;
use std::io;

use nix::errno::Errno;

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no regular file. It was not opened.
    #[error("not a regular file but {0}")]
    NotRegular(Kind),
    /// It is on a filesystem through which the kernel shows itself, such as those at
    /// `/proc` and `/sys`, or behind a link of `/proc`, and another file named it. It was
    /// not opened.
    #[error("a file of the kernel's own, which is not opened because another file names it")]
    Kernels,
    /// `/proc` is not mounted here, and without it a file cannot be looked at before it
    /// is opened.
    #[error("not opened because another file names it and /proc is not mounted: mount /proc")]
    NoProc,
}

/// What is no regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A directory.
    Directory,
    /// A FIFO, which waits for its other end.
    Fifo,
    /// A socket.
    Socket,
    /// A device, which does who knows what.
    Device,
    /// A symbolic link, where none is followed.
    Link,
    /// A thing of another kind.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a directory",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Link => "a symbolic link",
            Self::Other => "something else",
        })
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidInput, other.to_string()),
        }
    }
}
