//! The address ranges of a DIE.

use gimli::{Attribute, AttributeValue, DwAt, RawRangeListsOffset, UnitRef};

use super::form::Value;
use super::{Fault, Fuel, Slice};

/// The attributes that say where a DIE's code is, collected while its attributes
/// go by, and evaluated behind them: their order is free.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RangeAttrs<'d> {
    pub(super) low: Option<Value<'d>>,
    pub(super) high: Option<Value<'d>>,
    pub(super) list: Option<Value<'d>>,
}

impl<'d> RangeAttrs<'d> {
    #[inline]
    pub(super) fn take(&mut self, name: DwAt, value: Value<'d>) {
        match name {
            gimli::DW_AT_low_pc => self.low = Some(value),
            gimli::DW_AT_high_pc => self.high = Some(value),
            gimli::DW_AT_ranges => self.list = Some(value),
            _ => {}
        }
    }

    /// The same, of an attribute that gimli read.
    pub(super) fn take_attribute(&mut self, attr: &Attribute<Slice<'d>>) {
        let value = match attr.value() {
            AttributeValue::Addr(address) => Value::Address(address),
            AttributeValue::DebugAddrIndex(at) => Value::AddressAt(at.0),
            AttributeValue::Udata(number) => Value::Number(number),
            AttributeValue::RangeListsRef(offset) => Value::Offset(offset.0),
            AttributeValue::DebugRngListsIndex(at) => Value::RangeListAt(at.0),
            _ => Value::Other,
        };
        self.take(attr.name(), value);
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
        let list = match self.list {
            Some(Value::Offset(offset)) => {
                Some(unit.ranges_offset_from_raw(RawRangeListsOffset(offset)))
            }
            Some(Value::RangeListAt(at)) => {
                Some(unit.ranges_offset(gimli::DebugRngListsIndex(at))?)
            }
            _ => None,
        };
        if let Some(offset) = list {
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
            Value::Number(size) => begin.checked_add(size),
            high => Some(address(unit, high)?),
        };
        if let Some(end) = end.filter(|end| *end > begin) {
            found(begin, end);
        }
        Ok(())
    }
}

fn address(unit: UnitRef<'_, Slice<'_>>, value: Value<'_>) -> Result<u64, Fault> {
    match value {
        Value::Address(address) => Ok(address),
        Value::AddressAt(at) => Ok(unit.address(gimli::DebugAddrIndex(at))?),
        _ => Err(Fault::Malformed),
    }
}
