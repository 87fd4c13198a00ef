//! How the value of an attribute is written (`DW_FORM_*`): its size, and what it
//! says.
//!
//! Source: DWARF 5, 7.5.5 and 7.5.6; the `GNU` forms: the headers of binutils.

use gimli::{
    DebugInfoOffset, DebugLineStrOffset, DebugStrOffset, DebugStrOffsetsIndex, DwForm, Encoding,
    UnitOffset,
};

use super::Fault;
use super::cursor::Cursor;

/// What an attribute says, as far as functions need it. Whatever else there is
/// (expressions, flags, signatures of types) is [`Value::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'d> {
    Address(u64),
    /// In `.debug_addr`.
    AddressAt(usize),
    /// A constant that is not negative.
    Number(u64),
    /// In a section that the attribute implies.
    Offset(usize),
    /// A range list, by its number.
    RangeListAt(usize),
    /// A DIE of the same unit.
    UnitRef(UnitOffset),
    /// A DIE anywhere in `.debug_info`.
    InfoRef(DebugInfoOffset),
    /// A DIE in the supplementary file.
    SupRef(DebugInfoOffset),
    Text(&'d [u8]),
    /// In `.debug_str`.
    Str(DebugStrOffset),
    /// In `.debug_line_str`.
    LineStr(DebugLineStrOffset),
    /// In `.debug_str`, by way of `.debug_str_offsets`.
    StrAt(DebugStrOffsetsIndex),
    /// In the `.debug_str` of the supplementary file.
    SupStr(DebugStrOffset),
    Other,
}

/// Returns how many bytes each value of this form takes, where all take the same.
pub(super) fn fixed_size(form: DwForm, encoding: Encoding) -> Option<u8> {
    let offset_size = encoding.format.word_size();
    Some(match form {
        gimli::DW_FORM_implicit_const | gimli::DW_FORM_flag_present => 0,
        gimli::DW_FORM_data1
        | gimli::DW_FORM_flag
        | gimli::DW_FORM_ref1
        | gimli::DW_FORM_strx1
        | gimli::DW_FORM_addrx1 => 1,
        gimli::DW_FORM_data2
        | gimli::DW_FORM_ref2
        | gimli::DW_FORM_strx2
        | gimli::DW_FORM_addrx2 => 2,
        gimli::DW_FORM_strx3 | gimli::DW_FORM_addrx3 => 3,
        gimli::DW_FORM_data4
        | gimli::DW_FORM_ref4
        | gimli::DW_FORM_ref_sup4
        | gimli::DW_FORM_strx4
        | gimli::DW_FORM_addrx4 => 4,
        gimli::DW_FORM_data8
        | gimli::DW_FORM_ref8
        | gimli::DW_FORM_ref_sig8
        | gimli::DW_FORM_ref_sup8 => 8,
        gimli::DW_FORM_data16 => 16,
        gimli::DW_FORM_addr => encoding.address_size,
        gimli::DW_FORM_sec_offset
        | gimli::DW_FORM_strp
        | gimli::DW_FORM_line_strp
        | gimli::DW_FORM_strp_sup
        | gimli::DW_FORM_GNU_strp_alt
        | gimli::DW_FORM_GNU_ref_alt => offset_size,
        // DWARF 2 gave it the size of an address; later versions that of an
        // offset.
        gimli::DW_FORM_ref_addr if encoding.version <= 2 => encoding.address_size,
        gimli::DW_FORM_ref_addr => offset_size,
        _ => return None,
    })
}

/// Passes a value of a form that has no fixed size, or whose form is written with
/// it.
pub(super) fn skip(form: DwForm, cursor: &mut Cursor<'_>, encoding: Encoding) -> Result<(), Fault> {
    let form = resolve(form, cursor)?;
    let count = match form {
        gimli::DW_FORM_block1 => cursor.number(1)?,
        gimli::DW_FORM_block2 => cursor.number(2)?,
        gimli::DW_FORM_block4 => cursor.number(4)?,
        gimli::DW_FORM_block | gimli::DW_FORM_exprloc => cursor.uleb()?,
        gimli::DW_FORM_string => return cursor.text().map(drop),
        gimli::DW_FORM_udata
        | gimli::DW_FORM_sdata
        | gimli::DW_FORM_ref_udata
        | gimli::DW_FORM_strx
        | gimli::DW_FORM_GNU_str_index
        | gimli::DW_FORM_addrx
        | gimli::DW_FORM_GNU_addr_index
        | gimli::DW_FORM_loclistx
        | gimli::DW_FORM_rnglistx => return cursor.skip_leb(),
        _ => fixed_size(form, encoding).ok_or(Fault::Malformed)?.into(),
    };
    cursor.split(count).map(drop)
}

/// Follows `DW_FORM_indirect`, each of which takes a byte.
fn resolve(mut form: DwForm, cursor: &mut Cursor<'_>) -> Result<DwForm, Fault> {
    while form == gimli::DW_FORM_indirect {
        form = DwForm(u16::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)?);
    }
    Ok(form)
}

impl<'d> Value<'d> {
    /// Reads a value. Not for `DW_FORM_implicit_const`, whose value stands in the
    /// abbreviation.
    ///
    /// Up to DWARF 3 an offset was written as data of its size. `is_offset` says
    /// that the attribute is one; then such data is a [`Value::Offset`].
    #[inline]
    pub(super) fn read(
        form: DwForm,
        is_offset: bool,
        cursor: &mut Cursor<'d>,
        encoding: Encoding,
    ) -> Result<Self, Fault> {
        let form = resolve(form, cursor)?;
        if let Some(size) = fixed_size(form, encoding) {
            return Self::read_fixed(form, size, is_offset, cursor, encoding);
        }
        Ok(match form {
            gimli::DW_FORM_string => Self::Text(cursor.text()?),
            gimli::DW_FORM_udata => Self::Number(cursor.uleb()?),
            gimli::DW_FORM_sdata => Self::signed(cursor.sleb()?),
            gimli::DW_FORM_ref_udata => Self::UnitRef(UnitOffset(index(cursor)?)),
            gimli::DW_FORM_strx | gimli::DW_FORM_GNU_str_index => {
                Self::StrAt(DebugStrOffsetsIndex(index(cursor)?))
            }
            gimli::DW_FORM_addrx | gimli::DW_FORM_GNU_addr_index => Self::AddressAt(index(cursor)?),
            gimli::DW_FORM_rnglistx => Self::RangeListAt(index(cursor)?),
            gimli::DW_FORM_loclistx => {
                index(cursor)?;
                Self::Other
            }
            _ => {
                skip(form, cursor, encoding)?;
                Self::Other
            }
        })
    }

    #[inline]
    fn read_fixed(
        form: DwForm,
        size: u8,
        is_offset: bool,
        cursor: &mut Cursor<'d>,
        encoding: Encoding,
    ) -> Result<Self, Fault> {
        if size == 16 || form == gimli::DW_FORM_ref_sig8 {
            cursor.skip(size.into())?;
            return Ok(Self::Other);
        }
        if size == 0 {
            // A flag says nothing, and an implicit constant that is not in the
            // abbreviation has no value.
            let flag = form == gimli::DW_FORM_flag_present;
            return flag.then_some(Self::Other).ok_or(Fault::Malformed);
        }
        let number = cursor.number(size)?;
        let offset = || usize::try_from(number).map_err(|_| Fault::Malformed);
        Ok(match form {
            gimli::DW_FORM_addr => Self::Address(number),
            gimli::DW_FORM_data4 | gimli::DW_FORM_data8
                if is_offset && size == encoding.format.word_size() =>
            {
                Self::Offset(offset()?)
            }
            gimli::DW_FORM_data1
            | gimli::DW_FORM_data2
            | gimli::DW_FORM_data4
            | gimli::DW_FORM_data8 => Self::Number(number),
            gimli::DW_FORM_sec_offset => Self::Offset(offset()?),
            gimli::DW_FORM_ref1
            | gimli::DW_FORM_ref2
            | gimli::DW_FORM_ref4
            | gimli::DW_FORM_ref8 => Self::UnitRef(UnitOffset(offset()?)),
            gimli::DW_FORM_ref_addr => Self::InfoRef(DebugInfoOffset(offset()?)),
            gimli::DW_FORM_ref_sup4 | gimli::DW_FORM_ref_sup8 | gimli::DW_FORM_GNU_ref_alt => {
                Self::SupRef(DebugInfoOffset(offset()?))
            }
            gimli::DW_FORM_strp => Self::Str(DebugStrOffset(offset()?)),
            gimli::DW_FORM_line_strp => Self::LineStr(DebugLineStrOffset(offset()?)),
            gimli::DW_FORM_strp_sup | gimli::DW_FORM_GNU_strp_alt => {
                Self::SupStr(DebugStrOffset(offset()?))
            }
            gimli::DW_FORM_strx1
            | gimli::DW_FORM_strx2
            | gimli::DW_FORM_strx3
            | gimli::DW_FORM_strx4 => Self::StrAt(DebugStrOffsetsIndex(offset()?)),
            gimli::DW_FORM_addrx1
            | gimli::DW_FORM_addrx2
            | gimli::DW_FORM_addrx3
            | gimli::DW_FORM_addrx4 => Self::AddressAt(offset()?),
            _ => Self::Other,
        })
    }

    /// A negative number counts nothing that we ask for.
    pub(super) fn signed(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Other, Self::Number)
    }
}

fn index(cursor: &mut Cursor<'_>) -> Result<usize, Fault> {
    usize::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)
}
