//! The address ranges of a DIE.

use gimli::{Attribute, AttributeValue, UnitRef};

use super::{Fault, Fuel, Slice};

/// The attributes that say where a DIE's code is, collected while its attributes
/// go by, and evaluated behind them: their order is free.
#[derive(Debug, Default)]
pub(super) struct RangeAttrs<'d> {
    low: Option<AttributeValue<Slice<'d>>>,
    high: Option<AttributeValue<Slice<'d>>>,
    list: Option<AttributeValue<Slice<'d>>>,
}

impl<'d> RangeAttrs<'d> {
    pub(super) fn take(&mut self, attr: &Attribute<Slice<'d>>) {
        match attr.name() {
            gimli::DW_AT_low_pc => self.low = Some(attr.value()),
            gimli::DW_AT_high_pc => self.high = Some(attr.value()),
            gimli::DW_AT_ranges => self.list = Some(attr.value()),
            _ => {}
        }
    }

    /// Returns `DW_AT_low_pc`.
    pub(super) fn low(&self, unit: UnitRef<'_, Slice<'d>>) -> Option<u64> {
        address(unit, self.low?).ok()
    }

    /// Calls `found` with the begin and end of each range. Ranges whose sum
    /// passes 2^64 are tombstones, and absent.
    pub(super) fn for_each(
        &self,
        unit: UnitRef<'_, Slice<'d>>,
        fuel: &mut Fuel,
        mut found: impl FnMut(u64, u64),
    ) -> Result<(), Fault> {
        let list = self.list.map(|list| unit.attr_ranges_offset(list));
        if let Some(offset) = list.transpose()?.flatten() {
            let mut ranges = unit.ranges(offset)?;
            while let Some(range) = ranges.next()? {
                fuel.spend(1)?;
                found(range.begin, range.end);
            }
            return Ok(());
        }
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return Ok(());
        };
        let begin = address(unit, low)?;
        let end = match high {
            AttributeValue::Udata(size) => begin.checked_add(size),
            high => Some(address(unit, high)?),
        };
        if let Some(end) = end.filter(|end| *end > begin) {
            found(begin, end);
        }
        Ok(())
    }
}

fn address<'d>(
    unit: UnitRef<'_, Slice<'d>>,
    value: AttributeValue<Slice<'d>>,
) -> Result<u64, Fault> {
    match value {
        AttributeValue::Addr(address) => Ok(address),
        AttributeValue::DebugAddrIndex(index) => Ok(unit.address(index)?),
        _ => Err(Fault::Malformed),
    }
}
