//! The error for a full index.

/// A limit of the index format is exceeded: 4 GiB of code, 2^31 functions and inlined
/// calls, 2^32 lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("more code, functions or lines than an index can hold")]
pub struct IndexFull;
