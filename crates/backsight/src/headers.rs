//! The ELF headers of a file, packed or not.

use std::fs::File;
use std::os::unix::fs::FileExt;

use backsight_elf::Headers;
use backsight_symbolize::{Limits, unpacked_file};

/// Why a file has no ELF headers that can be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// What the headers say cannot be.
    #[error(transparent)]
    Elf(#[from] backsight_elf::Error),
    /// It is packed as a whole, and cannot be unpacked.
    #[error(transparent)]
    Packed(#[from] backsight_symbolize::Error),
}

/// Reads the ELF headers alone, however large the file; of one that is packed as a whole,
/// as kernel modules are, after unpacking it.
///
/// # Errors
/// When it is no ELF file, or a damaged one.
pub fn headers(file: &File) -> Result<Headers, HeadersError> {
    match Headers::read(file) {
        Err(error @ backsight_elf::Error::NotElf) => match unpacked(file) {
            Some(bytes) => Ok(Headers::parse(bytes?.as_slice())?),
            None => Err(error.into()),
        },
        parsed => Ok(parsed?),
    }
}

/// Returns what the file unpacks to, if it is packed as a whole.
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
    // The first bytes say whether the others are wanted.
    read(&mut bytes, 8)?;
    unpacked_file(&bytes, &limits).is_some().then_some(())?;
    let size = file.metadata().ok()?.len();
    if size > limits.file_bytes {
        let limit = limits.file_bytes;
        return Some(Err(backsight_symbolize::Error::TooLarge { limit }));
    }
    read(&mut bytes, usize::try_from(size).ok()?)?;
    unpacked_file(&bytes, &limits)
}
