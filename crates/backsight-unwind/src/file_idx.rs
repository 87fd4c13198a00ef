//! Which file, among those that stacks are walked with.

/// A file among those of a [`Walker`](crate::Walker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIdx(pub(crate) u32);
