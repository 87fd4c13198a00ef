//! Reads the ELF headers of a file, which may be compressed.

use std::fs::File;
use std::os::unix::fs::FileExt;

use backsight_elf::Headers;
use backsight_symbolize::{Cause, Limits, unpacked_file};

/// Why the ELF headers of a file cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// The file is not ELF, or its headers are damaged.
    #[error(transparent)]
    Elf(#[from] backsight_elf::Error),
    /// The file is compressed and cannot be decompressed.
    #[error("{}", .0.cause())]
    Packed(#[from] backsight_symbolize::Error),
}

/// Reads only the ELF headers, whatever the size of the file. A file that is compressed as a
/// whole, such as a kernel module, is decompressed first.
///
/// # Errors
/// If it is not an ELF file, or is damaged.
pub fn headers(file: &File) -> Result<Headers, HeadersError> {
    match Headers::read(file) {
        Err(error @ backsight_elf::Error::NotElf) => match unpacked(file) {
            Some(bytes) => Ok(Headers::parse(bytes?.as_slice())?),
            None => Err(error.into()),
        },
        parsed => Ok(parsed?),
    }
}

/// Returns the decompressed contents of the file, if it is compressed as a whole.
fn unpacked(file: &File) -> Option<Result<Vec<u8>, backsight_symbolize::Error>> {
    let limits = Limits::default();
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>, size| {
        let mut rest = bytes.len();
        bytes.resize(size, 0);
        while let Some(room) = bytes.get_mut(rest..).filter(|room| !room.is_empty()) {
            let at = u64::try_from(rest).ok()?;
            match file.read_at(room, at).ok()? {
                0 => break,
                count => rest = rest.saturating_add(count),
            }
        }
        bytes.truncate(rest);
        Some(())
    };
    // The magic number in the first bytes tells whether to read the rest.
    read(&mut bytes, 8)?;
    unpacked_file(&bytes, &limits).is_some().then_some(())?;
    let size = file.metadata().ok()?.len();
    if size > limits.file_bytes {
        let limit = limits.file_bytes;
        return Some(Err(Cause::TooLarge { limit }.into()));
    }
    read(&mut bytes, usize::try_from(size).ok()?)?;
    unpacked_file(&bytes, &limits)
}
