//! Functions of a unit, the calls folded into them, and what they are called.

pub(super) mod function;
pub(super) mod inline;
pub(super) mod name;
pub(super) mod scope;
