//! The texts that attributes lead to: in the DIE itself, or in one of five sections.

use gimli::{AttributeValue, Reader, Section, UnitOffset, UnitRef};

use super::form::{Class, Value};
use super::slice::Slice;
use crate::dwarf::damage::Damage;

/// Returns the text that a value of a DIE of `unit` leads to, without the zero that ends
/// it. One that leads nowhere, or has no end, is noted as damage.
#[inline]
pub(in crate::dwarf) fn of<'d>(
    value: Value,
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
fn should_lead_somewhere(class: Class, unit: UnitRef<'_, Slice<'_>>) -> bool {
    match class {
        Class::Text | Class::Str | Class::LineStr | Class::StrAt => true,
        Class::SupStr => unit.dwarf.sup.is_some(),
        _ => false,
    }
}

#[inline]
fn read<'d>(value: Value, unit: UnitRef<'_, Slice<'d>>) -> Option<&'d [u8]> {
    let section = match value.class {
        Class::Str => unit.dwarf.debug_str.reader(),
        Class::LineStr => unit.dwarf.debug_line_str.reader(),
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
    value: Value,
    unit: UnitRef<'_, Slice<'d>>,
) -> Option<AttributeValue<Slice<'d>>> {
    let at = usize::try_from(value.number).ok()?;
    Some(match value.class {
        Class::Nothing => return None,
        Class::Address => AttributeValue::Addr(value.number),
        Class::AddressAt => AttributeValue::DebugAddrIndex(gimli::DebugAddrIndex(at)),
        Class::Number => AttributeValue::Udata(value.number),
        Class::Offset => AttributeValue::RangeListsRef(gimli::RawRangeListsOffset(at)),
        Class::RangeListAt => AttributeValue::DebugRngListsIndex(gimli::DebugRngListsIndex(at)),
        Class::UnitRef => AttributeValue::UnitRef(UnitOffset(at)),
        Class::InfoRef => AttributeValue::DebugInfoRef(gimli::DebugInfoOffset(at)),
        Class::SupRef => AttributeValue::DebugInfoRefSup(gimli::DebugInfoOffset(at)),
        Class::Text => {
            let mut text = *unit.dwarf.debug_info.reader();
            let unit = unit.header.debug_info_offset()?;
            text.skip(unit.0.checked_add(at)?).ok()?;
            AttributeValue::String(text.read_null_terminated_slice().ok()?)
        }
        Class::Str => AttributeValue::DebugStrRef(gimli::DebugStrOffset(at)),
        Class::LineStr => AttributeValue::DebugLineStrRef(gimli::DebugLineStrOffset(at)),
        Class::StrAt => AttributeValue::DebugStrOffsetsIndex(gimli::DebugStrOffsetsIndex(at)),
        Class::SupStr => AttributeValue::DebugStrRefSup(gimli::DebugStrOffset(at)),
    })
}
