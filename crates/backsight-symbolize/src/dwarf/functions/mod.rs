//! The functions of a unit, the calls inlined into them, and their names.

pub(super) mod function;
pub(super) mod inline;
pub(super) mod name;
pub(super) mod scope;
