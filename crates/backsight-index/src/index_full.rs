//! Why nothing more goes into an index.

/// There is more of something than an index has room for: 4 GiB of code, 2^31 functions
/// and inlined calls, 2^32 lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("more code, functions or lines than an index has room for")]
pub struct IndexFull;
