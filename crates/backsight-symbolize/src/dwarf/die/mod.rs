//! The DIEs of a unit, read in sequence: bytes, forms, abbreviations, and the walk over the
//! DIEs of code.

pub(super) mod abbrev;
pub(super) mod compile;
pub(super) mod cursor;
pub(super) mod entry;
pub(super) mod form;
pub(super) mod fuel;
pub(super) mod plan;
pub(super) mod slice;
pub(super) mod text;
pub(super) mod values;
pub(super) mod walk;
