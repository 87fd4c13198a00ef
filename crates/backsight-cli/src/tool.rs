//! Who writes.

/// The program and its version, for headers.
pub(crate) const TOOL: &str = concat!("backsight ", env!("CARGO_PKG_VERSION"));
