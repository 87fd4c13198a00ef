//! The header of a GSYM file, with the offsets of its tables.

use backsight_types::BuildId;

use crate::bytes::{Bytes, offset};

const MAGIC: u32 = 0x4753_594d;
const HEADER_BYTES: usize = 48;
const MAX_ID_BYTES: usize = 20;

/// Why bytes cannot be read as a GSYM file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GsymError {
    /// It does not start like one.
    #[error("not a GSYM file")]
    NotGsym,
    /// Only version 1 is supported.
    #[error("GSYM of version {0}, but only version 1 is supported")]
    Version(u16),
    /// A size in it is invalid, or a table exceeds the file.
    #[error("a damaged GSYM file: {0}")]
    Damaged(&'static str),
}

/// The header of a GSYM file.
#[derive(Clone, Debug)]
pub(super) struct GsymHeader {
    pub(super) big_endian: bool,
    /// The size in bytes of an entry of the address table.
    pub(super) address_size: usize,
    pub(super) base: u64,
    pub(super) count: usize,
    pub(super) addresses: usize,
    pub(super) infos: usize,
    pub(super) files: usize,
    pub(super) file_count: u32,
    pub(super) texts: usize,
    pub(super) texts_end: usize,
    pub(super) id: Vec<u8>,
}

/// Returns the build ID of the program that a GSYM file was created from, if it has one,
/// from the first 48 bytes of the file.
///
/// # Errors
/// Each of [`GsymError`].
pub fn build_id_in(first: &[u8]) -> Result<Option<BuildId>, GsymError> {
    let (_, _, id) = GsymHeader::identified(first)?;
    Ok(BuildId::from_bytes(&id).ok())
}

impl GsymHeader {
    /// Returns whether it is big-endian, the bytes of an address, and the identifier.
    fn identified(all: &[u8]) -> Result<(bool, usize, Vec<u8>), GsymError> {
        let big_endian = match all.first_chunk() {
            Some(magic) if u32::from_le_bytes(*magic) == MAGIC => false,
            Some(magic) if u32::from_be_bytes(*magic) == MAGIC => true,
            _ => return Err(GsymError::NotGsym),
        };
        let bytes = Bytes {
            all,
            big_endian,
            pointer: 8,
        };
        let cut = GsymError::Damaged("it is cut off");
        let version = bytes.half(4).ok_or(cut)?;
        if version != 1 {
            return Err(GsymError::Version(version));
        }
        let address_size = usize::from(bytes.byte(6).ok_or(cut)?);
        if ![1, 2, 4, 8].contains(&address_size) {
            return Err(GsymError::Damaged("the size of its addresses is invalid"));
        }
        let id_size = usize::from(bytes.byte(7).ok_or(cut)?);
        if id_size > MAX_ID_BYTES {
            return Err(GsymError::Damaged("its build ID is too long"));
        }
        let id = 28..28_usize.saturating_add(id_size);
        let id = all.get(id).ok_or(cut)?.to_vec();
        Ok((big_endian, address_size, id))
    }

    pub(super) fn read(all: &[u8]) -> Result<Self, GsymError> {
        let (big_endian, address_size, id) = Self::identified(all)?;
        let bytes = Bytes {
            all,
            big_endian,
            pointer: 8,
        };
        let cut = GsymError::Damaged("it is cut off");
        let count = bytes.word(16).ok_or(cut)?;
        let texts = offset(0, bytes.word(20).ok_or(cut)?);
        let texts_size = bytes.word(24).ok_or(cut)?;
        let tables = || {
            let texts = texts?;
            let texts_end = offset(texts, texts_size)?;
            let count = usize::try_from(count).ok()?;
            // The header's size is a multiple of each size of addresses.
            let addresses = HEADER_BYTES;
            let end = addresses.checked_add(count.checked_mul(address_size)?)?;
            let infos = end.checked_next_multiple_of(4)?;
            let file_table = infos.checked_add(count.checked_mul(4)?)?;
            let file_count = bytes.word(file_table)?;
            let files = file_table.checked_add(4)?;
            let files_end = usize::try_from(file_count).ok()?.checked_mul(8)?;
            let files_end = files.checked_add(files_end)?;
            let is_inside = files_end <= all.len() && texts_end <= all.len();
            is_inside.then_some((count, addresses, infos, files, file_count, texts, texts_end))
        };
        let outside = GsymError::Damaged("a table exceeds the file");
        let (count, addresses, infos, files, file_count, texts, texts_end) =
            tables().ok_or(outside)?;
        Ok(Self {
            big_endian,
            address_size,
            base: bytes.address(8).ok_or(cut)?,
            count,
            addresses,
            infos,
            files,
            file_count,
            texts,
            texts_end,
            id,
        })
    }
}
