//! What is read of a DIE.

use super::form::{Class, Value};

/// The attributes that are read. Functions have no call site and inlined calls
/// no name of their own, so that these share places. Of scopes the name is read, and what
/// they are a part of: a type's signature is their origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) enum Slot {
    Low = 0,
    High = 1,
    Ranges = 2,
    Origin = 3,
    Specification = 4,
    NameOrCallFile = 5,
    LinkageOrCallLine = 6,
    DeclLineOrCallColumn = 7,
}

/// What the numbers of [`Values`] are.
pub(in crate::dwarf) type Classes = [Class; Slot::COUNT];

impl Slot {
    pub(in crate::dwarf) const COUNT: usize = 8;
}

/// What was read of one DIE.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct Values {
    classes: Classes,
    numbers: [u64; Slot::COUNT],
}

impl Values {
    /// Nothing.
    pub(in crate::dwarf) const NONE: Self = Self {
        classes: [Class::Nothing; Slot::COUNT],
        numbers: [0; Slot::COUNT],
    };

    /// Forgets all, and takes what the numbers to come will be.
    #[inline]
    pub(in crate::dwarf) fn begin(&mut self, classes: Classes) {
        self.classes = classes;
        self.numbers = [0; Slot::COUNT];
    }

    #[inline]
    pub(in crate::dwarf) fn get(&self, slot: Slot) -> Value {
        let class = self.classes.get(slot as usize).copied();
        let number = self.numbers.get(slot as usize).copied();
        Value::new(class.unwrap_or_default(), number.unwrap_or_default())
    }

    #[inline]
    pub(in crate::dwarf) fn set_number(&mut self, slot: Slot, number: u64) {
        if let Some(place) = self.numbers.get_mut(slot as usize) {
            *place = number;
        }
    }

    #[inline]
    pub(in crate::dwarf) fn set(&mut self, slot: Slot, value: Value) {
        if let Some(place) = self.classes.get_mut(slot as usize) {
            *place = value.class;
        }
        self.set_number(slot, value.number);
    }
}
