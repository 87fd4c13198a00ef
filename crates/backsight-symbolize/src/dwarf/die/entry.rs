//! The entries of an abbreviation table: what a DIE of each shape has.
//!
//! Source: DWARF 5, 7.5.3: entries of code, tag, has-children and (name, form) pairs,
//! ended by a code 0.

use gimli::{DwAt, DwForm, DwTag, Encoding};

use super::cursor::DwarfCursor;
use super::form::{self, FormSize, ValueClass};
use crate::dwarf::fault::Fault;

/// What stands before the attributes of an entry.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct DieHead {
    pub(in crate::dwarf) code: u64,
    pub(in crate::dwarf) tag: DwTag,
    pub(in crate::dwarf) has_children: bool,
}

/// One attribute, as all DIEs of the shape have it. What [`AttrSpec::constant`] reads stands
/// behind it.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct AttrSpec {
    pub(in crate::dwarf) name: DwAt,
    form: DwForm,
}

impl DieHead {
    /// Reads the head of the next entry; `None` behind the last.
    #[inline]
    pub(in crate::dwarf) fn read(cursor: &mut DwarfCursor<'_>) -> Result<Option<Self>, Fault> {
        let code = cursor.uleb()?;
        if code == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            code,
            tag: DwTag(small(cursor)?),
            has_children: match cursor.byte()? {
                0 => false,
                1 => true,
                _ => return Err(Fault::Malformed),
            },
        }))
    }
}

impl AttrSpec {
    /// Reads the next attribute of an entry, or its end.
    #[inline]
    pub(in crate::dwarf) fn read(entry: &mut DwarfCursor<'_>) -> Result<Self, Fault> {
        let (name, form) = (small(entry)?, small(entry)?);
        if (name == 0) != (form == 0) {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            name: DwAt(name),
            form: DwForm(form),
        })
    }

    /// Returns whether it stands behind the last attribute.
    #[inline]
    pub(in crate::dwarf) fn is_end(&self) -> bool {
        self.form == DwForm(0)
    }

    /// Reads the value, where it stands in the entry and not in each DIE.
    #[inline]
    pub(in crate::dwarf) fn constant(
        &self,
        entry: &mut DwarfCursor<'_>,
    ) -> Result<Option<i64>, Fault> {
        match self.form {
            gimli::DW_FORM_implicit_const => entry.sleb().map(Some),
            _ => Ok(None),
        }
    }

    /// Returns how its values are written in DIEs, and what they are.
    #[inline]
    pub(in crate::dwarf) fn layout(&self, encoding: Encoding) -> (FormSize, ValueClass) {
        let (size, class) = form::of(self.form, encoding);
        let is_offset = matches!(self.name, gimli::DW_AT_ranges | gimli::DW_AT_stmt_list)
            && matches!(self.form, gimli::DW_FORM_data4 | gimli::DW_FORM_data8)
            && size == FormSize::Fixed(encoding.format.word_size());
        // How offsets were written up to DWARF 3.
        (size, if is_offset { ValueClass::Offset } else { class })
    }
}

#[inline]
fn small(cursor: &mut DwarfCursor<'_>) -> Result<u16, Fault> {
    u16::try_from(cursor.uleb()?).map_err(|_| Fault::Malformed)
}
