//! Reads the ELF headers of a file, which may be compressed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use backsight_elf::{Headers, ReadError};
use backsight_files::{ArchiveMember, FileError, FilePart};
use backsight_symbolize::{Cause, Limits, unpacked_file};

/// Why the ELF headers of a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is an archive without the member that was asked for, or is damaged.
    #[error("{}", .0.error())]
    Archive(#[from] FileError),
    /// The file is not ELF, or its headers are damaged.
    #[error(transparent)]
    Elf(#[from] backsight_elf::Error),
    /// The file is compressed and cannot be decompressed.
    #[error("{}", .0.cause())]
    Packed(#[from] backsight_symbolize::Error),
}

/// Reads only the ELF headers, whatever the size of the file. A file that is compressed as a
/// whole, such as a kernel module, is decompressed first. If the file is an archive and `path`
/// that of a member ([`ArchiveMember::split`]), they are the headers of the member.
///
/// # Errors
/// If it cannot be read, is not an ELF file, or is damaged.
pub fn headers(file: &File, path: Option<&Path>) -> Result<Headers, HeadersError> {
    // An archive may begin with a program, which is not what the path names.
    if let Some(member) = ArchiveMember::of_path(file, path)? {
        return Ok(Headers::read(FilePart::new(file, member.range))?);
    }
    match Headers::read(file) {
        Err(ReadError::Elf(backsight_elf::Error::NotElf)) => match unpacked(file)? {
            Some(bytes) => Ok(Headers::parse(&bytes)?),
            None => Err(backsight_elf::Error::NotElf.into()),
        },
        read => Ok(read?),
    }
}

impl HeadersError {
    /// Returns whether the file begins as no ELF file does.
    #[must_use]
    pub fn is_not_elf(&self) -> bool {
        matches!(self, Self::Elf(backsight_elf::Error::NotElf))
    }
}

impl From<ReadError> for HeadersError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Elf(error) => error.into(),
            ReadError::Io(error) => error.into(),
            other => io::Error::other(other).into(),
        }
    }
}

/// Returns the decompressed contents of the file, if it is compressed as a whole.
fn unpacked(file: &File) -> Result<Option<Vec<u8>>, HeadersError> {
    let limits = Limits::default();
    // The magic number in the first bytes tells whether to read the rest.
    let magic = first_bytes(file, 8)?;
    if unpacked_file(&magic, &limits).is_none() {
        return Ok(None);
    }
    let size = file.metadata()?.len();
    let limit = limits.file_bytes;
    let packed = match usize::try_from(size) {
        Ok(len) if size <= limit => first_bytes(file, len)?,
        _ => return Err(backsight_symbolize::Error::from(Cause::TooLarge { limit }).into()),
    };
    Ok(unpacked_file(&packed, &limits).transpose()?)
}

/// Reads up to `len` bytes from the beginning of the file.
fn first_bytes(file: &File, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        let at = u64::try_from(filled).map_err(io::Error::other)?;
        match file.read_at(room, at) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
