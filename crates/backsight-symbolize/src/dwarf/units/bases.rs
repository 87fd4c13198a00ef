//! The headers of the tables that a unit's bases lead into.
//!
//! A base is where the first entry of a table is; its header stands before. gimli never
//! looks at these headers, and reads whatever is there as entries.
//!
//! Source: DWARF 5, 7.26 to 7.28.

use gimli::{Encoding, Format, Reader, Section};

use crate::dwarf::die::slice::Slice;

/// A kind of table.
#[derive(Clone, Copy, Debug)]
struct BaseTable {
    /// Bytes of the header behind the length.
    rest: usize,
    /// Whether the header has the size of an address.
    has_address_size: bool,
}

const STR_OFFSETS: BaseTable = BaseTable {
    rest: 4,
    has_address_size: false,
};
const ADDRESSES: BaseTable = BaseTable {
    rest: 4,
    has_address_size: true,
};
const RANGE_LISTS: BaseTable = BaseTable {
    rest: 8,
    has_address_size: true,
};

/// Returns whether each base that the unit has is behind a header that can be one.
///
/// Of a unit of DWARF 5 in the linked file: before, and in split units, tables have no
/// headers, or bases are where these begin.
pub(in crate::dwarf) fn are_sound(
    unit: &gimli::Unit<Slice<'_>>,
    dwarf: &gimli::Dwarf<Slice<'_>>,
) -> bool {
    let encoding = unit.encoding();
    let tables = [
        (
            *dwarf.debug_str_offsets.reader(),
            unit.str_offsets_base.0,
            STR_OFFSETS,
        ),
        (*dwarf.debug_addr.reader(), unit.addr_base.0, ADDRESSES),
        (
            *dwarf.ranges.debug_rnglists().reader(),
            unit.rnglists_base.0,
            RANGE_LISTS,
        ),
    ];
    let mut tables = tables.into_iter();
    tables.all(|(section, base, kind)| {
        // Nobody has a table at the beginning. What needs one that is not there says so.
        let is_named = base > 0 && !section.is_empty();
        // The length may be of the other size than the unit's.
        let formats = [Format::Dwarf32, Format::Dwarf64];
        !is_named
            || formats
                .into_iter()
                .any(|format| kind.is_before(section, base, format, encoding))
    })
}

impl BaseTable {
    /// Whether a header of this format is before the base.
    fn is_before(self, section: Slice<'_>, base: usize, format: Format, unit: Encoding) -> bool {
        let size = usize::from(format.initial_length_size()).saturating_add(self.rest);
        let read = || -> gimli::Result<bool> {
            let mut header = section;
            let Some(begin) = base.checked_sub(size) else {
                return Ok(false);
            };
            header.skip(begin)?;
            let (length, own) = header.read_initial_length()?;
            let is_within = own == format && self.rest <= length && length <= header.len();
            let is_of_unit = header.read_u16()? == 5
                && (!self.has_address_size || header.read_u8()? == unit.address_size);
            Ok(is_within && is_of_unit)
        };
        read().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use gimli::{Encoding, Format, RunTimeEndian};

    use super::{ADDRESSES, BaseTable, RANGE_LISTS, STR_OFFSETS, Slice};

    fn is_before(kind: BaseTable, bytes: &[u8], base: usize, format: Format) -> bool {
        let unit = Encoding {
            address_size: 8,
            format,
            version: 5,
        };
        kind.is_before(Slice::new(bytes, RunTimeEndian::Little), base, format, unit)
    }

    #[test]
    fn a_header_is_of_the_version_and_ends_in_the_section() {
        let of = |kind, bytes: &[u8], base| is_before(kind, bytes, base, Format::Dwarf32);
        assert!(of(STR_OFFSETS, &[8, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0], 8));
        assert!(of(ADDRESSES, &[4, 0, 0, 0, 5, 0, 8, 0], 8));
        assert!(of(RANGE_LISTS, &[8, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0], 12));
        let bad: [(&str, [u8; 12]); 6] = [
            ("nothing", [0; 12]),
            ("ones", [0xff; 12]),
            ("no length", [0, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0]),
            ("behind the section", [9, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0]),
            ("another version", [8, 0, 0, 0, 4, 0, 8, 0, 0, 0, 0, 0]),
            ("another size", [8, 0, 0, 0, 5, 0, 4, 0, 0, 0, 0, 0]),
        ];
        for (what, bytes) in bad {
            assert!(!of(RANGE_LISTS, &bytes, 12), "{what}");
            assert!(!of(ADDRESSES, &bytes, 8), "{what}");
        }
        assert!(!of(ADDRESSES, &[4, 0, 0, 0, 5, 0, 8, 0], 7), "no room");
        assert!(!of(ADDRESSES, &[4, 0, 0, 0, 5, 0, 8, 0], 9), "behind");
    }

    #[test]
    fn a_header_of_64_bits_is_longer() {
        let bytes = [&[0xff; 4][..], &[4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0]].concat();
        assert!(is_before(ADDRESSES, &bytes, 16, Format::Dwarf64));
        assert!(!is_before(ADDRESSES, &bytes, 16, Format::Dwarf32));
    }
}
