//! How deep a name may be nested.

/// Levels of nesting that a name may have.
pub(super) const DEPTH: u32 = 256;
