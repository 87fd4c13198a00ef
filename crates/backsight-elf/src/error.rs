//! Why headers cannot be read.

use std::{error, fmt, io};

/// Bytes that are not a readable ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not those of an ELF file.
    NotElf,
    /// It begins as an ELF file and then contradicts itself, or ends too early.
    Malformed(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => f.write_str("not an ELF file"),
            Self::Malformed(how) => write!(f, "malformed ELF file: {how}"),
        }
    }
}

impl error::Error for Error {}

/// Why the headers of an open file were not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The system could not read the file: it is a directory, or the disk or the network
    /// failed. Nothing is known of the contents.
    Io(io::Error),
    /// The file was read, and is no readable ELF file.
    Elf(Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Elf(error) => error.fmt(f),
        }
    }
}

impl error::Error for ReadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            // Its own text is that of this error already.
            Self::Io(error) => error.source(),
            Self::Elf(_) => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Elf(error)
    }
}
