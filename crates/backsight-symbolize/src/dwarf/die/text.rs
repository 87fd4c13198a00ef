//! The texts that attributes lead to: in the DIE itself, or in one of five sections.

use gimli::{AttributeValue, Reader, Section, UnitOffset, UnitRef};

use super::form::{AttrValue, ValueClass};
use super::slice::Slice;
use crate::dwarf::damage::Damage;

/// Returns the text that a value of a DIE of `unit` leads to, without the zero that ends
/// it. One that leads nowhere, or has no end, is noted as damage.
#[inline]
pub(in crate::dwarf) fn of<'d>(
    value: AttrValue,
    unit: UnitRef<'_, Slice<'d>>,
    damage: &Damage,
) -> Option<&'d [u8]> {
    let text = read(value, unit);
    if text.is_none() && should_lead_somewhere(value.class, unit) {
        damage.note();
    }
    text
}

/// Returns whether a value is a text that is in a file that is there.
fn should_lead_somewhere(class: ValueClass, unit: UnitRef<'_, Slice<'_>>) -> bool {
    match class {
        ValueClass::Text | ValueClass::Str | ValueClass::LineStr | ValueClass::StrAt => true,
        ValueClass::SupStr => unit.dwarf.sup.is_some(),
        _ => false,
    }
}

#[inline]
fn read<'d>(value: AttrValue, unit: UnitRef<'_, Slice<'d>>) -> Option<&'d [u8]> {
    let section = match value.class {
        ValueClass::Str => unit.dwarf.debug_str.reader(),
        ValueClass::LineStr => unit.dwarf.debug_line_str.reader(),
        _ => {
            let text = unit.attr_string(to_attribute(value, unit)?);
            return text.ok().map(|text| text.slice());
        }
    };
    let text = section.slice().get(usize::try_from(value.number).ok()?..)?;
    // gimli looks for the zero byte by byte.
    text.get(..memchr::memchr(0, text)?)
}

/// Returns a value as gimli has it, for an attribute of a DIE of `unit`; `None` when it
/// is nothing.
pub(in crate::dwarf) fn to_attribute<'d>(
    value: AttrValue,
    unit: UnitRef<'_, Slice<'d>>,
) -> Option<AttributeValue<Slice<'d>>> {
    let at = usize::try_from(value.number).ok()?;
    Some(match value.class {
        ValueClass::Nothing => return None,
        ValueClass::Address => AttributeValue::Addr(value.number),
        ValueClass::AddressAt => AttributeValue::DebugAddrIndex(gimli::DebugAddrIndex(at)),
        ValueClass::Number => AttributeValue::Udata(value.number),
        ValueClass::Offset => AttributeValue::RangeListsRef(gimli::RawRangeListsOffset(at)),
        ValueClass::RangeListAt => {
            AttributeValue::DebugRngListsIndex(gimli::DebugRngListsIndex(at))
        }
        ValueClass::UnitRef => AttributeValue::UnitRef(UnitOffset(at)),
        ValueClass::InfoRef => AttributeValue::DebugInfoRef(gimli::DebugInfoOffset(at)),
        ValueClass::SupRef => AttributeValue::DebugInfoRefSup(gimli::DebugInfoOffset(at)),
        ValueClass::Text => {
            let mut text = *unit.dwarf.debug_info.reader();
            let unit = unit.header.debug_info_offset()?;
            text.skip(unit.0.checked_add(at)?).ok()?;
            AttributeValue::String(text.read_null_terminated_slice().ok()?)
        }
        ValueClass::Str => AttributeValue::DebugStrRef(gimli::DebugStrOffset(at)),
        ValueClass::LineStr => AttributeValue::DebugLineStrRef(gimli::DebugLineStrOffset(at)),
        ValueClass::StrAt => AttributeValue::DebugStrOffsetsIndex(gimli::DebugStrOffsetsIndex(at)),
        ValueClass::SupStr => AttributeValue::DebugStrRefSup(gimli::DebugStrOffset(at)),
    })
}
