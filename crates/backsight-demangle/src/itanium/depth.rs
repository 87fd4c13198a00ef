//! The maximum nesting of a name.

/// The maximum nesting of a name.
pub(super) const MAX_DEPTH: u32 = 256;
