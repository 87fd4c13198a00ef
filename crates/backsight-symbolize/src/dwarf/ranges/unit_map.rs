//! Which units cover an address, by what one source says of them.

use backsight_index::engine::{Overlaps, RankedRange};

/// Units by the addresses that are said to be theirs.
#[derive(Debug, Default)]
pub(in crate::dwarf) struct UnitMap {
    /// Of the units, where they begin in `.debug_info`.
    pub(in crate::dwarf) offsets: Vec<usize>,
    pub(in crate::dwarf) overlaps: Overlaps,
    /// Whether a limit left some out.
    pub(in crate::dwarf) limited: bool,
    /// Whether something of it cannot be read.
    pub(in crate::dwarf) damaged: bool,
}

impl UnitMap {
    /// Returns where the units begin that cover `addr`, the preferred first.
    pub(in crate::dwarf) fn find(&self, addr: u64) -> impl Iterator<Item = usize> {
        let places = self.overlaps.find(addr).iter();
        places.filter_map(|at| self.offsets.get(usize::try_from(*at).ok()?).copied())
    }
}

/// Returns a range of the unit that is at this place among the offsets.
pub(in crate::dwarf) fn item(begin: u64, end: u64, unit: usize) -> RankedRange {
    RankedRange {
        begin,
        end,
        rank: 0,
        value: u32::try_from(unit).unwrap_or(u32::MAX),
    }
}
