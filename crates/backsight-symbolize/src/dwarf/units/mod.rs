//! Units: one, all of a file, what is kept beside each, and the way from one to another.

pub(super) mod held;
pub(super) mod home;
pub(super) mod links;
pub(super) mod root;
pub(super) mod tables;
pub(super) mod unit;
pub(super) mod unit_list;
