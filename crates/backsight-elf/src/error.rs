//! Why headers cannot be read.

use std::io;

/// Bytes that are not a readable ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not those of an ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// It begins as an ELF file and then contradicts itself, or ends too early.
    #[error("malformed ELF file: {0}")]
    Malformed(&'static str),
}

/// Why the headers of an open file were not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system could not read the file: it is a directory, or the disk or the network
    /// failed. Nothing is known of the contents.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file was read, and is no readable ELF file.
    #[error(transparent)]
    Elf(#[from] Error),
}
