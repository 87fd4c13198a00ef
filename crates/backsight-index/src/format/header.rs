//! The header of a file: its module, and the positions of its tables.

use backsight_types::BuildId;

use super::error::IndexCause;
use super::layout::VERSION;
use super::meta::IndexMeta;
use super::table::TableId;

/// The first bytes of the file. They are not valid text, and a transfer in text mode
/// changes them.
pub(crate) const MAGIC: [u8; 8] = *b"\x89BSIX\r\n\n";

/// The flag for an index that is incomplete because a limit was reached.
const LIMITED: u32 = 1;

/// The flag for an index for which debug information, or a file that it refers to, was
/// not found.
const INCOMPLETE: u32 = 2;

/// The size of the fixed part before the directory of tables: magic, version, flags,
/// bucket shift, inline depth, length of the build ID, number of tables, build ID.
const FIXED_BYTES: usize = 8 + 6 * 4 + BuildId::MAX_LEN;

/// The size of an entry of the directory: kind and checksum with 32 bits, offset and size
/// with 64 bits.
const ENTRY_BYTES: usize = 4 + 4 + 8 + 8;

/// The offset of the first table: after the directory and its checksum, aligned to 8
/// bytes as all tables.
pub(crate) const TABLES_AT: usize =
    (FIXED_BYTES + TableId::ALL.len() * ENTRY_BYTES + 4).next_multiple_of(8);

/// The position and the checksum of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableEntry {
    pub(crate) kind: TableId,
    /// CRC-32 of its bytes.
    pub(crate) checksum: u32,
    pub(crate) offset: u64,
    /// In bytes.
    pub(crate) size: u64,
}

/// Returns the bytes before the tables.
pub(crate) fn encode(meta: &IndexMeta, entries: &[TableEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TABLES_AT);
    bytes.extend_from_slice(&MAGIC);
    let id = meta.build_id.as_ref().map_or(&[][..], BuildId::as_bytes);
    let numbers = [
        VERSION,
        [(meta.limited, LIMITED), (meta.incomplete, INCOMPLETE)]
            .iter()
            .filter(|(is_set, _)| *is_set)
            .fold(0, |flags, (_, flag)| flags | flag),
        meta.bucket_shift,
        meta.inline_depth,
        u32::try_from(id.len()).unwrap_or(0),
        u32::try_from(entries.len()).unwrap_or(0),
    ];
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend_from_slice(id);
    bytes.resize(FIXED_BYTES, 0);
    for entry in entries {
        let kind: u32 = entry.kind.number();
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&entry.checksum.to_le_bytes());
        bytes.extend_from_slice(&entry.offset.to_le_bytes());
        bytes.extend_from_slice(&entry.size.to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.resize(TABLES_AT, 0);
    bytes
}

/// Decodes the bytes before the tables.
///
/// # Errors
/// [`IndexCause::NotAnIndex`], [`IndexCause::Version`] and
/// [`IndexCause::Malformed`].
pub(crate) fn decode(bytes: &[u8]) -> Result<(IndexMeta, Vec<TableEntry>), IndexCause> {
    let magic = bytes.get(..MAGIC.len());
    if magic != Some(&MAGIC) {
        return Err(IndexCause::NotAnIndex);
    }
    let mut rest = HeaderReader(bytes.get(MAGIC.len()..).unwrap_or_default());
    let cut = IndexCause::Malformed("it ends in its header");
    // The version is checked first: everything after it may differ in other versions.
    let version = rest.u32().ok_or(cut.clone())?;
    if version != VERSION {
        return Err(IndexCause::Version(version));
    }
    let head =
        bytes.get(..FIXED_BYTES.saturating_add(TableId::ALL.len().saturating_mul(ENTRY_BYTES)));
    let head = head.ok_or(cut.clone())?;
    let sum = bytes
        .get(head.len()..)
        .map(HeaderReader)
        .and_then(|mut rest| rest.u32());
    if sum != Some(crc32fast::hash(head)) {
        return Err(IndexCause::Malformed("the checksum of its header"));
    }
    let mut number = || rest.u32().ok_or(cut.clone());
    let (flags, bucket_shift, inline_depth) = (number()?, number()?, number()?);
    let (id_length, count) = (number()?, number()?);
    let id = rest.take(BuildId::MAX_LEN).ok_or(cut.clone())?;
    let id = usize::try_from(id_length)
        .ok()
        .and_then(|length| id.get(..length));
    let id = id.ok_or(IndexCause::Malformed("the length of its build ID"))?;
    if bucket_shift >= 32 || usize::try_from(count) != Ok(TableId::ALL.len()) {
        return Err(IndexCause::Malformed("its bucket size or number of tables"));
    }
    let mut entries = Vec::with_capacity(TableId::ALL.len());
    for kind in TableId::ALL {
        let (number, checksum) = (rest.u32(), rest.u32());
        let (offset, size) = (rest.u64(), rest.u64());
        if number != Some(kind.number()) {
            return Err(IndexCause::Malformed("the order of its tables"));
        }
        entries.push(TableEntry {
            kind,
            checksum: checksum.ok_or(cut.clone())?,
            offset: offset.ok_or(cut.clone())?,
            size: size.ok_or(cut.clone())?,
        });
    }
    // It bounds walks over forged cycles of parents, so it must be bounded itself.
    if inline_depth > u16::MAX.into() {
        return Err(IndexCause::Malformed("its inline depth"));
    }
    let meta = IndexMeta {
        build_id: BuildId::from_bytes(id).ok(),
        bucket_shift,
        inline_depth,
        limited: flags & LIMITED != 0,
        incomplete: flags & INCOMPLETE != 0,
    };
    Ok((meta, entries))
}

/// Reads consecutive little-endian numbers.
struct HeaderReader<'b>(&'b [u8]);

impl<'b> HeaderReader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*head))
    }

    fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*head))
    }
}

#[cfg(test)]
mod tests {
    use super::{IndexCause, IndexMeta, TableEntry, TableId, decode, encode};

    #[test]
    fn numbers_outside_their_bounds_are_refused() {
        let entries = TableId::ALL.map(|kind| TableEntry {
            kind,
            checksum: 0,
            offset: 0,
            size: 0,
        });
        let of = |bucket_shift, inline_depth| {
            let meta = IndexMeta {
                bucket_shift,
                inline_depth,
                ..IndexMeta::default()
            };
            decode(&encode(&meta, &entries)).map(|(meta, _)| meta.inline_depth)
        };
        let deep = IndexCause::Malformed("its inline depth");
        let bucket = IndexCause::Malformed("its bucket size or number of tables");
        assert_eq!(of(31, 0xffff), Ok(0xffff));
        assert_eq!(of(31, 0x1_0000), Err(deep.clone()));
        assert_eq!(of(7, u32::MAX), Err(deep));
        assert_eq!(of(32, 128), Err(bucket));
    }
}
