//! `.debug_aranges`: which addresses belong to which unit, without a look into
//! the units.
//!
//! Read here and not by gimli, whose iterator calls itself for every all-zero
//! entry: a section full of zeros would exhaust the stack.

use backsight_index::engine::Overlaps;
use gimli::{Format, Reader};

use super::unit_map::{UnitMap, item};
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::elf::ElfFile;

/// Reads the section. A set that is malformed ends it; those before count.
///
/// With `only`, what is kept suffices for this address, and for none other:
/// a pass over the section, and nothing sorted. Of units that claim the same
/// address `keep` are kept.
pub(in crate::dwarf) fn read(
    section: Slice<'_>,
    only: Option<u64>,
    keep: usize,
    elf: &ElfFile,
) -> UnitMap {
    let mut offsets = Vec::new();
    let mut items = Vec::new();
    let read = for_each(section, &mut |unit, begin, end| {
        let wanted = only.is_none_or(|addr| begin <= addr && addr < end);
        if !wanted || !elf.has_code(begin, end) {
            return;
        }
        if offsets.last() != Some(&unit) {
            offsets.push(unit);
        }
        items.push(item(begin, end, offsets.len().saturating_sub(1)));
    });
    UnitMap {
        offsets,
        overlaps: Overlaps::new(items, keep),
        limited: false,
        damaged: read.is_err(),
    }
}

/// Returns the units that the section has ranges of, by where they begin in
/// `.debug_info`, ascending.
pub(in crate::dwarf) fn units(section: Slice<'_>) -> Vec<usize> {
    let mut units = Vec::new();
    let _ = for_each(section, &mut |unit, _, _| {
        if units.last() != Some(&unit) {
            units.push(unit);
        }
    });
    units.sort_unstable();
    units
}

/// Calls `found` with the unit's offset in `.debug_info`, the begin and the end
/// of each range. Stops at the first set that is malformed; those before count. One that
/// has no end counts, and is malformed as well.
fn for_each(section: Slice<'_>, found: &mut impl FnMut(usize, u64, u64)) -> Result<(), Fault> {
    let mut rest = section;
    let mut ended = Ok(());
    while !rest.is_empty() {
        let (length, format) = rest.read_initial_length()?;
        let mut set = rest.split(length)?;
        let set_start = set;
        let version = set.read_u16()?;
        let unit = set.read_offset(format)?;
        let address_size = set.read_u8()?;
        let segment_size = set.read_u8()?;
        if version != 2 || segment_size != 0 || !matches!(address_size, 4 | 8) {
            continue;
        }
        // Entries are aligned to twice an address, counted from the set's very
        // beginning, its length included.
        let length_size = match format {
            Format::Dwarf32 => 4,
            Format::Dwarf64 => 12,
        };
        let read = set_start.len().saturating_sub(set.len());
        let entry_size = usize::from(address_size).saturating_mul(2);
        let header = read.saturating_add(length_size);
        let padded = header.checked_next_multiple_of(entry_size);
        let padding = padded.and_then(|padded| padded.checked_sub(header));
        if set.skip(padding.ok_or(Fault::Malformed)?).is_err() {
            continue;
        }
        let mut last = None;
        while set.len() >= entry_size {
            let begin = set.read_address(address_size)?;
            let length = set.read_address(address_size)?;
            last = Some((begin, length));
            // A pair of zeros should end the set, but linkers also leave one
            // where they dropped a function.
            if let Some(end) = begin.checked_add(length).filter(|end| *end > begin) {
                found(unit, begin, end);
            }
        }
        if last != Some((0, 0)) {
            ended = Err(Fault::Malformed);
        }
    }
    ended
}
