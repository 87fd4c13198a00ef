//! The index of a file in a walker.

/// The index of a file in a [`Walker`](crate::Walker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIdx(pub(crate) u32);
