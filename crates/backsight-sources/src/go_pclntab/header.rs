//! The header of a table: which layout it has, and where its parts are.

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

/// What the header says. Offsets count from the begin of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct PclntabHeader {
    pub(super) layout: Layout,
    pub(super) big_endian: bool,
    /// Bytes of an address: 4 or 8.
    pub(super) pointer: usize,
    /// What distances in code are counted in: 1, 2 or 4 bytes.
    pub(super) quantum: u32,
    /// How many functions it claims to have.
    pub(super) functions: usize,
    /// Where it says that code begins. Releases from 1.26 on write 0.
    pub(super) text: Option<usize>,
    pub(super) names: usize,
    /// The rows of each compilation unit's files.
    pub(super) units: usize,
    pub(super) files: usize,
    pub(super) runs: usize,
    /// What the offsets of functions count from.
    pub(super) records: usize,
    /// Entries and records of all functions.
    pub(super) functab: usize,
}

impl PclntabHeader {
    /// Reads the header of a table that begins here.
    pub(super) fn read(table: &[u8]) -> Option<Self> {
        let start = table.get(..8)?;
        let [a, b, c, d, 0, 0, quantum @ (1 | 2 | 4), pointer @ (4 | 8)] = *start else {
            return None;
        };
        let layout_of = |magic: u32| MAGICS.iter().find(|known| known.0 == magic);
        let little = layout_of(u32::from_le_bytes([a, b, c, d]));
        let big = layout_of(u32::from_be_bytes([a, b, c, d]));
        let (_, layout) = *little.or(big)?;
        let bytes = Bytes {
            all: table,
            big_endian: little.is_none(),
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
            // Behind the entry that ends them.
            let behind = header.functab.checked_add(entries)?;
            let behind = behind.checked_add(bytes.pointer)?;
            header.files = usize::try_from(bytes.word(behind)?).ok()?;
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
            if !ascends.is_sorted() || header.names < at(first)? {
                return None;
            }
        }
        let entries = header.functions.checked_mul(header.entry_size())?;
        let end = header.functab.checked_add(entries)?;
        let is_inside = header.functions > 0 && end < table.len() && header.files < table.len();
        is_inside.then_some(header)
    }

    /// Bytes of an entry and the offset of its record.
    pub(super) fn entry_size(&self) -> usize {
        self.entry_bytes().saturating_mul(2)
    }

    /// Bytes of each of these.
    pub(super) fn entry_bytes(&self) -> usize {
        match self.has_offsets() {
            true => 4,
            false => self.pointer,
        }
    }

    /// Whether entries and function data are offsets and not addresses.
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

/// Tables that are looked at where several places look like the begin of one.
const MOST: usize = 16;

/// Returns the addresses where a table may begin: for files that do not name a section
/// `.gopclntab`. What is there is checked when it is opened.
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
                    // Linkers align it to an address at least.
                    let addr =
                        addr.filter(|addr| addr % 4 == 0 && PclntabHeader::read(table).is_some());
                    found.extend(addr);
                    if found.len() >= MOST {
                        return found;
                    }
                }
            }
        }
    }
    found
}
