//! The name and version of the program.

/// The name and version of the program, for headers.
pub(crate) const TOOL: &str = concat!("backsight ", env!("CARGO_PKG_VERSION"));
