//! Finds the frame description entry (FDE) for an address.
//!
//! Linkers write a search table, sorted by address, into `.eh_frame_hdr`:
//!
//! ```text
//!   u8 version = 1, then one u8 each: encoding of the pointer, the count and the table
//!   pointer to .eh_frame, count, then for each FDE: address of the code, address of the FDE
//! ```
//!
//! Linkers use one set of encodings, which is supported here. If a file has others or no table,
//! all entries of the section are parsed once instead.
//!
//! Source: Linux Standard Base 5.0, section 10.6.2.

use gimli::{BaseAddresses, CieOrFde, UnwindOffset, UnwindSection};
use hashbrown::HashMap;

use crate::expression::Bytes;

/// The maximum number of functions. It is larger than that of any real file, and bounds
/// the work for a malicious one.
const MAX_FUNCTIONS: usize = 1 << 22;

/// The search table of `.eh_frame_hdr`.
#[derive(Debug)]
pub(crate) struct SearchTable {
    rows: Box<[u8]>,
    /// The address of `.eh_frame_hdr`, to which the table's values are relative.
    base: u64,
    /// The address of `.eh_frame`.
    eh_frame: u64,
}

/// Two values of four bytes.
const ROW_BYTES: usize = 8;

impl SearchTable {
    /// Parses `.eh_frame_hdr`, whose address is `base`; `None` if it cannot be searched.
    pub(crate) fn parse(header: &[u8], base: u64) -> Option<Self> {
        let (eh_frame, rest) = eh_frame_of(header, base)?;
        /// udata4, and sdata4 relative to the section.
        const COUNT_AND_TABLE: [u8; 2] = [0x03, 0x3b];
        let (encodings, (count, rows)) = (header.get(2..4)?, rest.split_first_chunk()?);
        if encodings != COUNT_AND_TABLE {
            return None;
        }
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let rows = rows.get(..count.checked_mul(ROW_BYTES)?)?;
        (count > 0).then(|| Self {
            rows: rows.into(),
            base,
            eh_frame,
        })
    }

    /// Returns the offset in `.eh_frame` of the last FDE that starts at or before `address`.
    pub(crate) fn offset_of(&self, address: u64) -> Option<usize> {
        let (rows, _) = self.rows.as_chunks::<ROW_BYTES>();
        let after = rows.partition_point(|row| self.address(row, 0) <= address);
        let row = rows.get(after.checked_sub(1)?)?;
        let offset = self.address(row, 4).checked_sub(self.eh_frame)?;
        usize::try_from(offset).ok()
    }

    /// Returns the start of the first FDE behind `address`.
    pub(crate) fn start_behind(&self, address: u64) -> Option<u64> {
        let (rows, _) = self.rows.as_chunks::<ROW_BYTES>();
        let after = rows.partition_point(|row| self.address(row, 0) <= address);
        rows.get(after).map(|row| self.address(row, 0))
    }

    fn address(&self, row: &[u8; ROW_BYTES], at: usize) -> u64 {
        let number = row.get(at..).and_then(<[u8]>::first_chunk);
        let number = i32::from_le_bytes(number.copied().unwrap_or_default());
        self.base.wrapping_add_signed(i64::from(number))
    }
}

/// Returns the address of `.eh_frame` according to the header at `base`, and the rest of the
/// header.
pub(crate) fn eh_frame_of(header: &[u8], base: u64) -> Option<(u64, &[u8])> {
    /// sdata4, relative to its own address.
    const POINTER: u8 = 0x1b;
    let (start, rest) = header.split_first_chunk::<4>()?;
    let ([1, POINTER, ..], (number, rest)) = (start, rest.split_first_chunk()?) else {
        return None;
    };
    let number = i64::from(i32::from_le_bytes(*number));
    let address = base.checked_add(4)?.checked_add_signed(number)?;
    Some((address, rest))
}

/// The FDEs of a section, by address.
#[derive(Debug, Default)]
pub(crate) struct FdeIndex(Vec<(u64, usize)>);

impl FdeIndex {
    /// Parses a section, up to its end or the first malformed entry.
    pub(crate) fn new<'a, S>(section: &S, bases: &BaseAddresses) -> Self
    where
        S: UnwindSection<Bytes<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let mut starts = Vec::new();
        // Many FDEs share few CIEs, possibly in alternation; each CIE is parsed once.
        let mut shared = HashMap::new();
        let mut entries = section.entries(bases);
        while let Ok(Some(entry)) = entries.next()
            && starts.len() < MAX_FUNCTIONS
        {
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            let fde = partial.parse(|section, bases, offset| {
                let key: usize = UnwindOffset::into(offset);
                if let Some(known) = shared.get(&key) {
                    return Clone::clone(known);
                }
                let read = section.cie_from_offset(bases, offset);
                shared.insert(key, read.clone());
                read
            });
            if let Ok(fde) = fde
                && fde.len() > 0
            {
                starts.push((fde.initial_address(), fde.offset()));
            }
        }
        starts.sort_unstable();
        Self(starts)
    }

    /// Returns the offset of the last FDE that starts at or before `address`.
    pub(crate) fn offset_of(&self, address: u64) -> Option<usize> {
        let after = self.0.partition_point(|(start, _)| *start <= address);
        let (_, offset) = self.0.get(after.checked_sub(1)?)?;
        Some(*offset)
    }

    /// Returns the start of the first FDE behind `address`.
    pub(crate) fn start_behind(&self, address: u64) -> Option<u64> {
        let after = self.0.partition_point(|(start, _)| *start <= address);
        self.0.get(after).map(|(start, _)| *start)
    }
}

#[cfg(test)]
mod tests {
    use super::SearchTable;

    fn header(base: u64, eh_frame: u64, rows: &[(u64, u64)]) -> Vec<u8> {
        let relative = |to: u64, from: u64| {
            let [a, b, c, d, ..] = to.wrapping_sub(from).to_le_bytes();
            [a, b, c, d]
        };
        let mut bytes = vec![1, 0x1b, 3, 0x3b];
        bytes.extend(relative(eh_frame, base.saturating_add(4)));
        bytes.extend(u32::try_from(rows.len()).unwrap().to_le_bytes());
        for (code, entry) in rows {
            bytes.extend(relative(*code, base));
            bytes.extend(relative(*entry, base));
        }
        bytes
    }

    #[test]
    fn the_last_entry_before_an_address_is_found() {
        let rows = [(0x1000, 0x3018), (0x1100, 0x3040), (0x1200, 0x2fff)];
        let header = header(0x2000, 0x3000, &rows);
        let table = SearchTable::parse(&header, 0x2000).unwrap();
        let found = [0, 0xfff, 0x1000, 0x10ff, 0x1100, 0x11ff, 0x1200, u64::MAX]
            .map(|address| table.offset_of(address));
        let (first, second) = (Some(0x18), Some(0x40));
        // The last row is malformed: it points before `.eh_frame`.
        assert_eq!(
            found,
            [None, None, first, first, second, second, None, None]
        );
        let behind = [0, 0xfff, 0x1000, 0x11ff, 0x1200].map(|address| table.start_behind(address));
        let (first, last) = (Some(0x1000), Some(0x1200));
        assert_eq!(behind, [first, first, Some(0x1100), last, None]);
    }

    #[test]
    fn a_header_that_cannot_be_searched_is_none() {
        let whole = header(0x2000, 0x3000, &[(0x1000, 0x3018)]);
        assert!(SearchTable::parse(&whole, 0x2000).is_some());
        for cut in 0..whole.len() {
            assert!(SearchTable::parse(&whole[..cut], 0x2000).is_none());
        }
        for (at, value) in [(0, 2), (1, 0), (2, 0xff), (3, 0x1b), (8, 2), (11, 255)] {
            let mut other = whole.clone();
            other[at] = value;
            assert!(SearchTable::parse(&other, 0x2000).is_none(), "byte {at}");
        }
        assert!(SearchTable::parse(&header(0x2000, 0x3000, &[]), 0x2000).is_none());
        // Addresses at both ends of the address space do not overflow.
        for base in [0, 4, u64::MAX, u64::MAX - 3] {
            if let Some(table) = SearchTable::parse(&whole, base) {
                let _ = [0, u64::MAX].map(|address| table.offset_of(address));
            }
        }
    }
}
