//! Line programs, and the rows that they make.

pub(super) mod line;
pub(super) mod program;
