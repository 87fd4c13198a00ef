//! The address ranges of a DIE.

use backsight_index::engine::RankedRange;
use gimli::{
    DebugAddrIndex, DebugRngListsIndex, RangeListsOffset, RawRangeListsOffset, Section, UnitRef,
};

use super::range_list::RangeList;
use crate::dwarf::damage::Damage;
use crate::dwarf::die::form::{AttrValue, ValueClass};
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;

/// The attributes that say where a DIE's code is.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::dwarf) struct RangeAttrs {
    pub(in crate::dwarf) low: AttrValue,
    pub(in crate::dwarf) high: AttrValue,
    pub(in crate::dwarf) list: AttrValue,
}

impl RangeAttrs {
    /// Returns `DW_AT_low_pc`.
    pub(in crate::dwarf) fn low(&self, unit: UnitRef<'_, Slice<'_>>) -> Option<u64> {
        address(unit, self.low.some()?).ok()
    }

    /// Calls `found` with the begin and end of each range. Ranges whose sum
    /// passes 2^64 are tombstones, and absent.
    pub(in crate::dwarf) fn for_each(
        &self,
        unit: UnitRef<'_, Slice<'_>>,
        fuel: &mut Fuel,
        mut found: impl FnMut(u64, u64),
    ) -> Result<(), Fault> {
        let at = || usize::try_from(self.list.number).map_err(|_| Fault::Malformed);
        let list = match self.list.class {
            ValueClass::Offset => Some(unit.ranges_offset_from_raw(RawRangeListsOffset(at()?))),
            ValueClass::RangeListAt => Some(unit.ranges_offset(DebugRngListsIndex(at()?))?),
            _ => None,
        };
        if let Some(RangeListsOffset(at)) = list {
            let encoding = unit.encoding();
            let ranges = &unit.dwarf.ranges;
            let section = match encoding.version {
                ..=4 => ranges.debug_ranges().reader(),
                _ => ranges.debug_rnglists().reader(),
            };
            let list = RangeList::new(*section, at, encoding, unit.low_pc)?;
            return list.for_each(|at| address_at(unit, at), fuel, found);
        }
        let (Some(low), Some(high)) = (self.low.some(), self.high.some()) else {
            return Ok(());
        };
        let begin = address(unit, low)?;
        let end = match high.as_number() {
            Some(size) => begin.checked_add(size),
            None => Some(address(unit, high)?),
        };
        if let Some(end) = end.filter(|end| *end > begin) {
            found(begin, end);
        }
        Ok(())
    }
}

/// Where ranges are collected, and as what.
#[derive(Debug)]
pub(in crate::dwarf) struct RangeSink<'s> {
    pub(in crate::dwarf) items: &'s mut Vec<RankedRange>,
    /// How many items there may be.
    pub(in crate::dwarf) limit: usize,
    pub(in crate::dwarf) rank: u32,
    pub(in crate::dwarf) value: u32,
    /// Where it is noted that some ranges cannot be read.
    pub(in crate::dwarf) damage: &'s Damage,
}

impl RangeAttrs {
    /// Adds an item for each range that `keep` asks for. A DIE whose ranges are
    /// malformed does not spoil the others.
    ///
    /// [`Fault::Limit`] when there are too many, or when the fuel does not last.
    pub(in crate::dwarf) fn collect(
        &self,
        unit: UnitRef<'_, Slice<'_>>,
        fuel: &mut Fuel,
        sink: RangeSink<'_>,
        mut keep: impl FnMut(u64, u64) -> bool,
    ) -> Result<(), Fault> {
        let RangeSink {
            items,
            limit,
            rank,
            value,
            damage,
        } = sink;
        let mut full = false;
        let walked = self.for_each(unit, fuel, |begin, end| {
            full |= items.len() >= limit;
            if !full && begin < end && keep(begin, end) {
                items.push(RankedRange {
                    begin,
                    end,
                    rank,
                    value,
                });
            }
        });
        if full || walked == Err(Fault::Limit) {
            return Err(Fault::Limit);
        }
        damage.sound(walked);
        Ok(())
    }
}

/// Returns the address that a value is, or leads to.
pub(in crate::dwarf) fn address(
    unit: UnitRef<'_, Slice<'_>>,
    value: AttrValue,
) -> Result<u64, Fault> {
    match value.class {
        ValueClass::Address => Ok(value.number),
        ValueClass::AddressAt => address_at(unit, value.number),
        _ => Err(Fault::Malformed),
    }
}

fn address_at(unit: UnitRef<'_, Slice<'_>>, at: u64) -> Result<u64, Fault> {
    let at = usize::try_from(at).map_err(|_| Fault::Malformed)?;
    Ok(unit.address(DebugAddrIndex(at))?)
}
