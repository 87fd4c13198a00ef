//! Why a file was not opened or not read.

use std::fmt;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;

use crate::io_error::IoError;

/// A failed operation on a file: operation, path and cause.
pub type FileError = backsight_types::FileError<Error>;

/// Why a file was not opened or not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system call failed.
    #[error("{0}")]
    Io(IoError),
    /// It is not a regular file. It was not opened.
    #[error("not a regular file but {0}")]
    NotRegular(NonRegularKind),
    /// It is on a filesystem that exposes kernel state, such as `/proc` and `/sys`, or behind a
    /// magic link of `/proc`, and its path came from another file. It was not opened.
    #[error("not opened: it exposes kernel state, and its path is from another file")]
    Kernels,
    /// `/proc` is not mounted, so a file cannot be checked before it is opened.
    #[error(
        "not opened: its path is from another file, and it cannot be checked without /proc: mount /proc"
    )]
    NoProc,
    /// The file at its path was replaced before it was opened.
    #[error("it was replaced while it was opened")]
    Replaced,
    /// It is a zip archive whose directory is damaged or cut off.
    #[error("a damaged zip archive: its directory cannot be read; `unzip -t` says what is wrong")]
    DamagedArchive,
    /// Several members of the archive have this name.
    #[error(
        "several members of the archive have this name: choose one by the offset of its contents, with @{first:#x} or @{second:#x} behind the name"
    )]
    AmbiguousMember {
        /// Where the contents of one begin, in bytes from the start of the archive's file.
        first: u64,
        /// The same of another.
        second: u64,
    },
    /// A mapping begins at an offset of an archive that no member has.
    #[error(
        "a zip archive that has no uncompressed member at the mapped offset {0:#x}: `unzip -v` lists all"
    )]
    NoMemberAt(u64),
    /// It is an archive without this member, or the member is compressed.
    #[error(
        "the archive has no uncompressed member of this name: `unzip -v` lists all, extract one that is compressed or encrypted"
    )]
    NoMember,
    /// It is too large to be read into memory.
    #[error("larger than the limit of {limit} bytes for files that are not mapped")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

/// A kind of file other than a regular one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NonRegularKind {
    /// A directory.
    Directory,
    /// A FIFO. Opening it blocks until the other end is opened.
    Fifo,
    /// A socket.
    Socket,
    /// A device. Opening it may have side effects.
    Device,
    /// A symbolic link, if links are not followed.
    Link,
    /// Any other kind.
    Other,
}

impl NonRegularKind {
    /// Returns the kind of a file that is not a regular one.
    pub(crate) fn of(file: FileType) -> Self {
        if file.is_dir() {
            Self::Directory
        } else if file.is_fifo() {
            Self::Fifo
        } else if file.is_socket() {
            Self::Socket
        } else if file.is_char_device() || file.is_block_device() {
            Self::Device
        } else if file.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for NonRegularKind {
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

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error.into(),
            Error::Replaced => Self::other(error.to_string()),
            other => Self::new(io::ErrorKind::InvalidInput, other.to_string()),
        }
    }
}
