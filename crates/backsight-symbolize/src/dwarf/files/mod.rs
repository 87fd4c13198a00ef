//! The files and sections that hold the DWARF of a module.

pub(super) mod allowance;
pub(super) mod arena;
pub(super) mod companions;
pub(super) mod file;
pub(super) mod loaded_dwarf;
pub(super) mod partial_info;
pub(super) mod sections;
pub(super) mod split;
