//! Lists of address ranges: `.debug_ranges` up to DWARF 4, `.debug_rnglists` from 5 on.
//!
//! Read here and not by gimli: the lists of a large program have half a million entries,
//! nearly all for what was inlined, and gimli passes entries that are no ranges without
//! asking for fuel.
//!
//! Source: DWARF 4, 2.17.3; DWARF 5, 2.17.3 and 7.25.

use gimli::{DwRle, Encoding};

use crate::dwarf::die::cursor::{DwarfCursor, unused_bits};
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;

/// A list on the way through it.
#[derive(Debug)]
pub(in crate::dwarf) struct RangeList<'d> {
    cursor: DwarfCursor<'d>,
    version: u16,
    address_size: u8,
    /// The highest address.
    mask: u64,
    base: u64,
}

/// What one entry says.
enum RangeEntry {
    End,
    /// What the offsets behind it count from.
    Base(u64),
    Offsets(u64, u64),
    Addresses(u64, u64),
    Sized(u64, u64),
}

impl<'d> RangeList<'d> {
    /// Begins with the entry at `at` of the section that has lists in this version of
    /// DWARF; offsets count from `base` until an entry says otherwise.
    pub(in crate::dwarf) fn new(
        section: Slice<'d>,
        at: usize,
        encoding: Encoding,
        base: u64,
    ) -> Result<Self, Fault> {
        let address_size = encoding.address_size;
        if !matches!(address_size, 1 | 2 | 4 | 8) || at >= section.len() {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            cursor: DwarfCursor::new(section, at),
            version: encoding.version,
            address_size,
            mask: u64::MAX >> unused_bits(address_size),
            base,
        })
    }

    /// Calls `found` with the begin and the end of each range that is not empty.
    /// `address_at` reads an address from the list of them.
    ///
    /// Ranges that are tombstones are absent: linkers leave the two highest addresses
    /// where they dropped code. Those before an entry that is malformed count, and those of
    /// a list without an end.
    pub(in crate::dwarf) fn for_each(
        mut self,
        address_at: impl Fn(u64) -> Result<u64, Fault>,
        fuel: &mut Fuel,
        mut found: impl FnMut(u64, u64),
    ) -> Result<(), Fault> {
        let tombstone = self.mask.saturating_sub(1);
        while !self.cursor.is_empty() {
            fuel.spend(1)?;
            let entry = if self.version <= 4 {
                self.pair()?
            } else {
                self.entry(&address_at)?
            };
            let above = |address: u64, offset: u64| address.wrapping_add(offset) & self.mask;
            let (begin, end) = match entry {
                RangeEntry::End => return Ok(()),
                RangeEntry::Base(base) => {
                    self.base = base;
                    continue;
                }
                RangeEntry::Offsets(..) if self.base >= tombstone => continue,
                RangeEntry::Offsets(begin, end) => (above(self.base, begin), above(self.base, end)),
                RangeEntry::Addresses(begin, end) => (begin, end),
                RangeEntry::Sized(begin, size) => (begin, above(begin, size)),
            };
            if begin < end && begin < tombstone {
                found(begin, end);
            }
        }
        Err(Fault::Malformed)
    }

    /// Reads an entry of `.debug_ranges`.
    #[inline]
    fn pair(&mut self) -> Result<RangeEntry, Fault> {
        let begin = self.address()?;
        let end = self.address()?;
        Ok(match (begin, end) {
            (0, 0) => RangeEntry::End,
            (begin, base) if begin == self.mask => RangeEntry::Base(base),
            (begin, end) => RangeEntry::Offsets(begin, end),
        })
    }

    /// Reads an entry of `.debug_rnglists`.
    #[inline]
    fn entry(
        &mut self,
        address_at: impl Fn(u64) -> Result<u64, Fault>,
    ) -> Result<RangeEntry, Fault> {
        Ok(match DwRle(self.cursor.byte()?) {
            gimli::DW_RLE_end_of_list => RangeEntry::End,
            gimli::DW_RLE_base_addressx => RangeEntry::Base(address_at(self.cursor.uleb()?)?),
            gimli::DW_RLE_startx_endx => {
                let (begin, end) = (self.cursor.uleb()?, self.cursor.uleb()?);
                RangeEntry::Addresses(address_at(begin)?, address_at(end)?)
            }
            gimli::DW_RLE_startx_length => {
                let (begin, size) = (self.cursor.uleb()?, self.cursor.uleb()?);
                RangeEntry::Sized(address_at(begin)?, size)
            }
            gimli::DW_RLE_offset_pair => {
                RangeEntry::Offsets(self.cursor.uleb()?, self.cursor.uleb()?)
            }
            gimli::DW_RLE_base_address => RangeEntry::Base(self.address()?),
            gimli::DW_RLE_start_end => RangeEntry::Addresses(self.address()?, self.address()?),
            gimli::DW_RLE_start_length => RangeEntry::Sized(self.address()?, self.cursor.uleb()?),
            _ => return Err(Fault::Malformed),
        })
    }

    #[inline]
    fn address(&mut self) -> Result<u64, Fault> {
        self.cursor.number(self.address_size)
    }
}

#[cfg(test)]
mod tests {
    use gimli::{
        DebugAddr, DebugAddrBase, DebugAddrIndex, DebugRanges, DebugRngLists, EndianSlice, Format,
        RangeLists, RangeListsOffset, RunTimeEndian,
    };
    use proptest::prelude::*;

    use super::{Encoding, Fault, Fuel, RangeList};

    fn encoding(version: u16, address_size: u8) -> Encoding {
        Encoding {
            address_size,
            format: Format::Dwarf32,
            version,
        }
    }

    /// Bytes that are often entries: kinds, small numbers, zeros and ones.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => 0_u8..9, 2 => Just(0xff), 1 => Just(0xfe), 1 => any::<u8>()];
        proptest::collection::vec(byte, 1..80)
    }

    proptest! {
        #[test]
        fn ranges_are_those_that_gimli_reads(
            bytes in bytes(),
            at in 0_usize..4,
            version in 2_u16..=5,
            size in prop_oneof![Just(1_u8), Just(2), Just(4), Just(8)],
            base in prop_oneof![Just(0_u64), 0_u64..0x1000, Just(0xfe), Just(u64::MAX)],
            big in any::<bool>(),
        ) {
            let endian = if big { RunTimeEndian::Big } else { RunTimeEndian::Little };
            let section = EndianSlice::new(&bytes, endian);
            let encoding = encoding(version, size);
            let at = at.min(bytes.len().saturating_sub(1));

            let addresses = DebugAddr::from(section);
            let lists = RangeLists::new(DebugRanges::from(section), DebugRngLists::from(section));
            let addr_base = DebugAddrBase(0);
            let list = lists.ranges(RangeListsOffset(at), encoding, base, &addresses, addr_base);
            let mut theirs = (Vec::new(), true);
            let mut list = list.expect("an offset in the section");
            loop {
                match list.next() {
                    Ok(Some(range)) => theirs.0.push((range.begin, range.end)),
                    Ok(None) => break,
                    Err(_) => {
                        theirs.1 = false;
                        break;
                    }
                }
            }

            let address_at = |at: u64| {
                let at = DebugAddrIndex(usize::try_from(at).map_err(|_| Fault::Malformed)?);
                Ok(addresses.get_address(size, addr_base, at)?)
            };
            let mut ours = Vec::new();
            let list = RangeList::new(section, at, encoding, base).expect("an address size");
            let mut fuel = Fuel::of(1000);
            let read = list.for_each(address_at, &mut fuel, |begin, end| ours.push((begin, end)));
            prop_assert_eq!(ours, theirs.0);
            // A list that ends with the section and not by an entry is sound to gimli.
            prop_assert!(read.is_err() || theirs.1);
        }
    }

    #[test]
    fn an_entry_that_is_no_range_costs_fuel_too() {
        let bases = [[0xff; 8], [0x01; 8]].concat().repeat(1000);
        let section = EndianSlice::new(&bases, RunTimeEndian::Little);
        let read = |steps| {
            let list = RangeList::new(section, 0, encoding(4, 8), 0);
            list?.for_each(|_| Err(Fault::Malformed), &mut Fuel::of(steps), |_, _| {})
        };
        assert_eq!(read(1001), Err(Fault::Malformed), "it has no end");
        assert_eq!(read(999), Err(Fault::Limit));
    }

    #[test]
    fn a_list_must_begin_in_the_section_and_end() {
        let read = |bytes: &[u8], at| {
            let section = EndianSlice::new(bytes, RunTimeEndian::Little);
            let list = RangeList::new(section, at, encoding(5, 8), 0x10);
            let mut found = Vec::new();
            let none = |_| Err(Fault::Malformed);
            let read = list.and_then(|list| {
                list.for_each(none, &mut Fuel::of(9), |begin, end| {
                    found.push((begin, end))
                })
            });
            (read, found)
        };
        let bad = Err(Fault::Malformed);
        let one = vec![(0x11, 0x12)];
        assert_eq!(read(&[4, 1, 2, 0], 0), (Ok(()), one.clone()));
        assert_eq!(read(&[4, 1, 2], 0), (bad, one.clone()), "no end");
        assert_eq!(read(&[4, 1, 2, 9, 0], 0), (bad, one), "no such entry");
        assert_eq!(read(&[4, 1, 2, 0], 4), (bad, vec![]), "behind the section");
    }
}
