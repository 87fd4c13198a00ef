//! Units: one, all of a file, what is kept beside each, and the way from one to another.

pub(super) mod bases;
pub(super) mod die_links;
pub(super) mod maybe_owned;
pub(super) mod root_die;
pub(super) mod tables;
pub(super) mod unit;
pub(super) mod unit_file;
pub(super) mod unit_list;
