//! The files and sections that hold the DWARF of a module.

pub(super) mod allowance;
pub(super) mod arena;
pub(super) mod companions;
pub(super) mod file;
pub(super) mod prefix;
pub(super) mod sections;
pub(super) mod split;
pub(super) mod whole;
