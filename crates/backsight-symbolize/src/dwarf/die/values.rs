//! What is read of a DIE.

use super::form::{AttrValue, ValueClass};

/// The attributes that are read, by their place in [`DieValues`].
///
/// A function has no call site, and an inlined call has no name of its own, so the three
/// attributes of a call site share the places of a function's last three. Of a namespace or
/// class, `Origin` is the type signature and `Specification` what it extends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) enum ValueSlot {
    Low = 0,
    High = 1,
    Ranges = 2,
    Origin = 3,
    Specification = 4,
    Name = 5,
    LinkageName = 6,
    DeclLine = 7,
}

/// What the numbers of [`DieValues`] are.
pub(in crate::dwarf) type Classes = [ValueClass; ValueSlot::COUNT];

impl ValueSlot {
    pub(in crate::dwarf) const COUNT: usize = 8;

    /// Of an inlined call: `DW_AT_call_file`.
    pub(in crate::dwarf) const CALL_FILE: Self = Self::Name;
    /// Of an inlined call: `DW_AT_call_line`.
    pub(in crate::dwarf) const CALL_LINE: Self = Self::LinkageName;
    /// Of an inlined call: `DW_AT_call_column`.
    pub(in crate::dwarf) const CALL_COLUMN: Self = Self::DeclLine;
}

/// What was read of one DIE.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct DieValues {
    classes: Classes,
    numbers: [u64; ValueSlot::COUNT],
}

impl DieValues {
    /// Nothing.
    pub(in crate::dwarf) const NONE: Self = Self {
        classes: [ValueClass::Nothing; ValueSlot::COUNT],
        numbers: [0; ValueSlot::COUNT],
    };

    /// Forgets all, and takes what the numbers to come will be.
    #[inline]
    pub(in crate::dwarf) fn begin(&mut self, classes: Classes) {
        self.classes = classes;
        self.numbers = [0; ValueSlot::COUNT];
    }

    #[inline]
    pub(in crate::dwarf) fn get(&self, slot: ValueSlot) -> AttrValue {
        let class = self.classes.get(slot as usize).copied();
        let number = self.numbers.get(slot as usize).copied();
        AttrValue::new(class.unwrap_or_default(), number.unwrap_or_default())
    }

    #[inline]
    pub(in crate::dwarf) fn set_number(&mut self, slot: ValueSlot, number: u64) {
        if let Some(place) = self.numbers.get_mut(slot as usize) {
            *place = number;
        }
    }

    #[inline]
    pub(in crate::dwarf) fn set(&mut self, slot: ValueSlot, value: AttrValue) {
        if let Some(place) = self.classes.get_mut(slot as usize) {
            *place = value.class;
        }
        self.set_number(slot, value.number);
    }
}
