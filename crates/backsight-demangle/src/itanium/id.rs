//! References to nodes of a name's tree.

use std::num::NonZeroU32;

/// A reference to a node of a [`Tree`](super::tree::Tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(pub(super) NonZeroU32);

/// A list of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl List {
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }
}
