//! Why a file was not opened or not read.

use std::fs::FileType;
use std::os::unix::fs::FileTypeExt;
use std::{error, fmt, io};

use crate::io_error::IoError;

/// A failed operation on a file: operation, path and cause.
pub type FileError = backsight_types::FileError<Error>;

/// Why a file was not opened or not read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The system call failed.
    Io(IoError),
    /// It is not a regular file. It was not opened.
    NotRegular(NonRegularKind),
    /// It is on a filesystem that exposes kernel state, such as `/proc` and `/sys`, or behind a
    /// magic link of `/proc`, and its path came from another file. It was not opened.
    Kernels,
    /// `/proc` is not mounted, so a file cannot be checked before it is opened.
    NoProc,
    /// The file at its path was replaced before it was opened.
    Replaced,
    /// It is a zip archive whose directory is damaged or cut off.
    DamagedArchive,
    /// Several members of the archive have this name.
    AmbiguousMember {
        /// Where the contents of one begin, in bytes from the start of the archive's file.
        first: u64,
        /// The same of another.
        second: u64,
    },
    /// A mapping begins at an offset of an archive that no member has.
    NoMemberAt(u64),
    /// It is an archive without this member, or the member is compressed.
    NoMember,
    /// It is too large to be read into memory.
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotRegular(kind) => write!(f, "not a regular file but {kind}"),
            Self::Kernels => f.write_str(
                "not opened: it exposes kernel state, and its path is from another file",
            ),
            Self::NoProc => f.write_str(
                "not opened: its path is from another file, and it cannot be checked without \
                 /proc: mount /proc",
            ),
            Self::Replaced => f.write_str("it was replaced while it was opened"),
            Self::DamagedArchive => f.write_str(
                "a damaged zip archive: its directory cannot be read; `unzip -t` says what is wrong",
            ),
            Self::AmbiguousMember { first, second } => write!(
                f,
                "several members of the archive have this name: choose one by the offset of its \
                 contents, with @{first:#x} or @{second:#x} behind the name"
            ),
            Self::NoMemberAt(offset) => write!(
                f,
                "a zip archive that has no uncompressed member at the mapped offset {offset:#x}: \
                 `unzip -v` lists all"
            ),
            Self::NoMember => f.write_str(
                "the archive has no uncompressed member of this name: `unzip -v` lists all, \
                 extract one that is compressed or encrypted",
            ),
            Self::TooLarge { limit } => write!(
                f,
                "larger than the limit of {limit} bytes for files that are not mapped"
            ),
        }
    }
}

impl error::Error for Error {}

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
