//! The header of a table: its layout, and the offsets of its parts.

use crate::bytes::Bytes;
use crate::memory::MappedPart;

/// A layout, by the first release of Go that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layout {
    Go1_2,
    Go1_16,
    Go1_18,
    Go1_20,
}

const MAGICS: [(u32, Layout); 4] = [
    (0xffff_fffb, Layout::Go1_2),
    (0xffff_fffa, Layout::Go1_16),
    (0xffff_fff0, Layout::Go1_18),
    (0xffff_fff1, Layout::Go1_20),
];

/// The most bytes that linkers leave between the header and the names: they align parts to 32.
const MAX_PADDING: usize = 63;

/// Returns the layout with this magic number, and whether it is big-endian.
fn layout_of(magic: [u8; 4]) -> Option<(Layout, bool)> {
    let known = |magic: u32| MAGICS.iter().find(|known| known.0 == magic);
    let little = known(u32::from_le_bytes(magic));
    let found = little.or_else(|| known(u32::from_be_bytes(magic)))?;
    Some((found.1, little.is_none()))
}

pub(super) fn begins_with_magic(table: &[u8]) -> bool {
    let magic = table.first_chunk::<4>();
    magic.is_some_and(|magic| layout_of(*magic).is_some())
}

/// The header. Offsets count from the start of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct PclntabHeader {
    pub(super) layout: Layout,
    pub(super) big_endian: bool,
    /// The size of an address in bytes: 4 or 8.
    pub(super) pointer: usize,
    /// The unit of distances in code: 1, 2 or 4 bytes.
    pub(super) quantum: u32,
    /// The number of functions according to the header.
    pub(super) functions: usize,
    /// The offset of the header field with the start of code. Releases since 1.26 write 0
    /// there.
    pub(super) text: Option<usize>,
    pub(super) names: usize,
    /// The offset of the rows of each compilation unit's files.
    pub(super) units: usize,
    pub(super) files: usize,
    pub(super) runs: usize,
    /// The base of the offsets of function records.
    pub(super) records: usize,
    /// The offset of the list with the entry and record of each function.
    pub(super) functab: usize,
}

impl PclntabHeader {
    /// Reads the header of a table from its first bytes.
    pub(super) fn read(table: &[u8]) -> Option<Self> {
        let start = table.get(..8)?;
        let [a, b, c, d, 0, 0, quantum @ (1 | 2 | 4), pointer @ (4 | 8)] = *start else {
            return None;
        };
        let (layout, big_endian) = layout_of([a, b, c, d])?;
        let bytes = Bytes {
            all: table,
            big_endian,
            pointer: pointer.into(),
        };
        let at = |number: usize| number.checked_mul(bytes.pointer)?.checked_add(8);
        let field = |number: usize| bytes.size(at(number)?);
        let mut header = Self {
            layout,
            big_endian: bytes.big_endian,
            pointer: bytes.pointer,
            quantum: quantum.into(),
            functions: field(0)?,
            text: None,
            names: 0,
            units: 0,
            files: 0,
            runs: 0,
            records: 0,
            functab: at(1)?,
        };
        if layout == Layout::Go1_2 {
            let entries = header.functions.checked_mul(header.entry_size())?;
            // After the final entry, which has the end of the code.
            let after = header.functab.checked_add(entries)?;
            let after = after.checked_add(bytes.pointer)?;
            header.files = usize::try_from(bytes.word(after)?).ok()?;
        } else {
            let first = if layout >= Layout::Go1_18 { 3 } else { 2 };
            header.text = (first == 3).then(|| at(2)).flatten();
            let mut fields = (first..).map_while(field);
            header.names = fields.next()?;
            header.units = fields.next()?;
            header.files = fields.next()?;
            header.runs = fields.next()?;
            header.records = fields.next()?;
            header.functab = header.records;
            let ascends = [
                header.names,
                header.units,
                header.files,
                header.runs,
                header.records,
            ];
            // The names are the part behind the header.
            let end = at(first.checked_add(5)?)?;
            let begin = end..=end.checked_add(MAX_PADDING)?;
            if !ascends.is_sorted() || !begin.contains(&header.names) {
                return None;
            }
        }
        let entries = header.functions.checked_mul(header.entry_size())?;
        let end = header.functab.checked_add(entries)?;
        let is_inside = header.functions > 0 && end < table.len() && header.files < table.len();
        is_inside.then_some(header)
    }

    /// Returns the size in bytes of an item of the list: an entry and the offset of its
    /// record.
    pub(super) fn entry_size(&self) -> usize {
        self.entry_bytes().saturating_mul(2)
    }

    /// Returns the size in bytes of each of the two.
    pub(super) fn entry_bytes(&self) -> usize {
        match self.has_offsets() {
            true => 4,
            false => self.pointer,
        }
    }

    /// Returns whether entries and function data are offsets instead of addresses.
    pub(super) fn has_offsets(&self) -> bool {
        self.layout >= Layout::Go1_18
    }

    pub(super) fn bytes<'d>(&self, all: &'d [u8]) -> Bytes<'d> {
        Bytes {
            all,
            big_endian: self.big_endian,
            pointer: self.pointer,
        }
    }
}

/// The maximum number of possible tables that are returned.
const MAX_CANDIDATES: usize = 16;

/// Returns the addresses where a table may start, for files without a section named
/// `.gopclntab`. The candidates are checked when they are opened.
#[must_use]
pub fn find_tables(parts: &[MappedPart<'_>]) -> Vec<u64> {
    let mut found = Vec::new();
    for part in parts {
        for (magic, _) in MAGICS {
            for magic in [magic.to_le_bytes(), magic.to_be_bytes()] {
                let mut wanted = magic.to_vec();
                wanted.extend([0, 0]);
                for at in memchr::memmem::find_iter(part.bytes, &wanted) {
                    let addr = u64::try_from(at).ok();
                    let addr = addr.and_then(|at| part.addr.checked_add(at));
                    let table = part.bytes.get(at..).unwrap_or_default();
                    // Linkers align it at least to 4 bytes.
                    let addr =
                        addr.filter(|addr| addr % 4 == 0 && PclntabHeader::read(table).is_some());
                    found.extend(addr);
                    if found.len() >= MAX_CANDIDATES {
                        return found;
                    }
                }
            }
        }
    }
    found
}
