//! How the value of an attribute is written (`DW_FORM_*`): its size, and what it
//! says.
//!
//! Source: DWARF 5, 7.5.5 and 7.5.6; the `GNU` forms: the headers of binutils.

use gimli::{DwForm, Encoding};

use super::cursor::DwarfCursor;
use crate::dwarf::fault::Fault;

/// What an attribute says, as far as functions need it: 16 bytes, as walks copy
/// many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::dwarf) struct AttrValue {
    pub(in crate::dwarf) class: ValueClass,
    /// What [`ValueClass`] says it is.
    pub(in crate::dwarf) number: u64,
}

/// What the number of a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::dwarf) enum ValueClass {
    /// The attribute is absent, or its value is nothing that functions need: a
    /// flag, an expression, a type's signature, a negative number.
    #[default]
    Nothing,
    Address,
    /// A place in `.debug_addr`.
    AddressAt,
    Number,
    /// In a section that the attribute implies.
    Offset,
    /// A range list, by its place in the list of them.
    RangeListAt,
    /// A DIE of the same unit.
    UnitRef,
    /// A DIE anywhere in `.debug_info`.
    InfoRef,
    /// A DIE in the supplementary file.
    SupRef,
    /// A text right there, at this offset in the unit.
    Text,
    /// In `.debug_str`.
    Str,
    /// In `.debug_line_str`.
    LineStr,
    /// In `.debug_str`, by way of `.debug_str_offsets`.
    StrAt,
    /// In the `.debug_str` of the supplementary file.
    SupStr,
}

/// How long a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) enum FormSize {
    /// This many bytes.
    Fixed(u8),
    Uleb,
    Sleb,
    /// Up to a zero.
    Text,
    /// A block whose length stands before it, in so many bytes.
    Block(u8),
    /// The same, the length being a LEB128 number.
    UlebBlock,
    /// The form stands before the value.
    Indirect,
    /// No form we know: the DIE, and with it the rest of the unit, is unreadable.
    Unknown,
}

/// Returns how values of this form are written, and what they are.
pub(in crate::dwarf) fn of(form: DwForm, encoding: Encoding) -> (FormSize, ValueClass) {
    let offset_size = encoding.format.word_size();
    let (size, class) = match form {
        gimli::DW_FORM_flag_present => (0, ValueClass::Nothing),
        gimli::DW_FORM_data1 => (1, ValueClass::Number),
        gimli::DW_FORM_data2 => (2, ValueClass::Number),
        gimli::DW_FORM_data4 => (4, ValueClass::Number),
        gimli::DW_FORM_data8 => (8, ValueClass::Number),
        gimli::DW_FORM_data16 => (16, ValueClass::Nothing),
        gimli::DW_FORM_flag => (1, ValueClass::Nothing),
        gimli::DW_FORM_ref1 => (1, ValueClass::UnitRef),
        gimli::DW_FORM_ref2 => (2, ValueClass::UnitRef),
        gimli::DW_FORM_ref4 => (4, ValueClass::UnitRef),
        gimli::DW_FORM_ref8 => (8, ValueClass::UnitRef),
        gimli::DW_FORM_strx1 => (1, ValueClass::StrAt),
        gimli::DW_FORM_strx2 => (2, ValueClass::StrAt),
        gimli::DW_FORM_strx3 => (3, ValueClass::StrAt),
        gimli::DW_FORM_strx4 => (4, ValueClass::StrAt),
        gimli::DW_FORM_addrx1 => (1, ValueClass::AddressAt),
        gimli::DW_FORM_addrx2 => (2, ValueClass::AddressAt),
        gimli::DW_FORM_addrx3 => (3, ValueClass::AddressAt),
        gimli::DW_FORM_addrx4 => (4, ValueClass::AddressAt),
        gimli::DW_FORM_ref_sup4 => (4, ValueClass::SupRef),
        gimli::DW_FORM_ref_sup8 => (8, ValueClass::SupRef),
        gimli::DW_FORM_ref_sig8 => (8, ValueClass::Nothing),
        gimli::DW_FORM_addr => (encoding.address_size, ValueClass::Address),
        gimli::DW_FORM_sec_offset => (offset_size, ValueClass::Offset),
        gimli::DW_FORM_strp => (offset_size, ValueClass::Str),
        gimli::DW_FORM_line_strp => (offset_size, ValueClass::LineStr),
        gimli::DW_FORM_strp_sup | gimli::DW_FORM_GNU_strp_alt => (offset_size, ValueClass::SupStr),
        gimli::DW_FORM_GNU_ref_alt => (offset_size, ValueClass::SupRef),
        // DWARF 2 gave it the size of an address; later versions that of an
        // offset.
        gimli::DW_FORM_ref_addr if encoding.version <= 2 => {
            (encoding.address_size, ValueClass::InfoRef)
        }
        gimli::DW_FORM_ref_addr => (offset_size, ValueClass::InfoRef),
        form => return variable(form),
    };
    (FormSize::Fixed(size), class)
}

fn variable(form: DwForm) -> (FormSize, ValueClass) {
    match form {
        gimli::DW_FORM_udata => (FormSize::Uleb, ValueClass::Number),
        gimli::DW_FORM_sdata => (FormSize::Sleb, ValueClass::Number),
        gimli::DW_FORM_ref_udata => (FormSize::Uleb, ValueClass::UnitRef),
        gimli::DW_FORM_strx | gimli::DW_FORM_GNU_str_index => (FormSize::Uleb, ValueClass::StrAt),
        gimli::DW_FORM_addrx | gimli::DW_FORM_GNU_addr_index => {
            (FormSize::Uleb, ValueClass::AddressAt)
        }
        gimli::DW_FORM_rnglistx => (FormSize::Uleb, ValueClass::RangeListAt),
        gimli::DW_FORM_loclistx => (FormSize::Uleb, ValueClass::Nothing),
        gimli::DW_FORM_string => (FormSize::Text, ValueClass::Text),
        gimli::DW_FORM_block1 => (FormSize::Block(1), ValueClass::Nothing),
        gimli::DW_FORM_block2 => (FormSize::Block(2), ValueClass::Nothing),
        gimli::DW_FORM_block4 => (FormSize::Block(4), ValueClass::Nothing),
        gimli::DW_FORM_block | gimli::DW_FORM_exprloc => (FormSize::UlebBlock, ValueClass::Nothing),
        gimli::DW_FORM_indirect => (FormSize::Indirect, ValueClass::Nothing),
        _ => (FormSize::Unknown, ValueClass::Nothing),
    }
}

impl FormSize {
    /// Passes a value.
    #[inline]
    pub(in crate::dwarf) fn skip(
        self,
        cursor: &mut DwarfCursor<'_>,
        encoding: Encoding,
    ) -> Result<(), Fault> {
        let count = match self {
            Self::Fixed(count) => count.into(),
            Self::Uleb | Self::Sleb => return cursor.skip_leb(),
            Self::UlebBlock => cursor.uleb()?,
            rare => {
                *cursor = rare.skip_rare(*cursor, encoding)?;
                return Ok(());
            }
        };
        cursor.skip(usize::try_from(count).map_err(|_| Fault::Malformed)?)
    }

    /// By value, so that the cursor of a walk stays in registers.
    #[inline(never)]
    fn skip_rare<'d>(
        self,
        mut cursor: DwarfCursor<'d>,
        encoding: Encoding,
    ) -> Result<DwarfCursor<'d>, Fault> {
        match self {
            Self::Text => cursor.skip_text()?,
            Self::Block(size) => {
                let count = cursor.number(size)?;
                cursor.skip(usize::try_from(count).map_err(|_| Fault::Malformed)?)?;
            }
            Self::Indirect => resolve(&mut cursor, encoding)?
                .0
                .skip(&mut cursor, encoding)?,
            _ => return Err(Fault::Malformed),
        }
        Ok(cursor)
    }
}

/// Follows a chain of `DW_FORM_indirect`, a byte each, to the actual form.
fn resolve(
    cursor: &mut DwarfCursor<'_>,
    encoding: Encoding,
) -> Result<(FormSize, ValueClass), Fault> {
    loop {
        let form = u16::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)?;
        let (size, class) = of(DwForm(form), encoding);
        if size != FormSize::Indirect {
            return Ok((size, class));
        }
    }
}

/// Compilers keep 16 bits of a column and say 0 where it has more; so do we, since an
/// index has no room for others.
pub(in crate::dwarf) fn column(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

/// No source has 2^32 lines: such a number is no number.
pub(in crate::dwarf) fn line(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

impl AttrValue {
    pub(in crate::dwarf) fn new(class: ValueClass, number: u64) -> Self {
        Self { class, number }
    }

    /// Returns it unless it is nothing.
    pub(in crate::dwarf) fn some(self) -> Option<Self> {
        (self.class != ValueClass::Nothing).then_some(self)
    }

    /// Returns the number, of a value that is one.
    pub(in crate::dwarf) fn as_number(self) -> Option<u64> {
        (self.class == ValueClass::Number).then_some(self.number)
    }

    /// No attribute that is read has a negative number.
    pub(in crate::dwarf) fn signed(number: i64) -> Self {
        let number = u64::try_from(number);
        number.map_or(Self::default(), |number| {
            Self::new(ValueClass::Number, number)
        })
    }

    /// Reads a value.
    #[inline]
    pub(in crate::dwarf) fn read(
        size: FormSize,
        class: ValueClass,
        cursor: &mut DwarfCursor<'_>,
        encoding: Encoding,
    ) -> Result<Self, Fault> {
        match size {
            FormSize::Fixed(size @ 1..=8) => Ok(Self::new(class, cursor.number(size)?)),
            FormSize::Uleb => Ok(Self::new(class, cursor.uleb()?)),
            FormSize::Sleb => Ok(Self::signed(cursor.sleb()?)),
            FormSize::Text => {
                let at = u64::try_from(cursor.at()).map_err(|_| Fault::Malformed)?;
                cursor.skip_text()?;
                Ok(Self::new(class, at))
            }
            FormSize::Indirect => {
                let (size, class) = resolve(cursor, encoding)?;
                Self::read(size, class, cursor, encoding)
            }
            size => {
                size.skip(cursor, encoding)?;
                Ok(Self::default())
            }
        }
    }
}
