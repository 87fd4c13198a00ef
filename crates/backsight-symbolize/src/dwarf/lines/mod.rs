//! Line programs, and the rows that they make.

pub(super) mod line_table;
pub(super) mod program;
