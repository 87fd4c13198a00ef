//! The tree of a name, with its nodes in one table.

use std::num::NonZeroU32;

use super::id::{Id, List};
use super::node::Node;

/// The nodes of a name, children before parents.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    lists: Vec<Id>,
}

impl<'a> Tree<'a> {
    /// Returns an empty tree, for a name of this size.
    pub(super) fn for_bytes(bytes: usize) -> Self {
        Self {
            // Measured on Debian's names: few need more, and it is small in any case.
            nodes: Vec::with_capacity(bytes.clamp(16, 512) / 2),
            lists: Vec::with_capacity(bytes.clamp(16, 512) / 4),
        }
    }

    pub(super) fn add(&mut self, node: Node<'a>) -> Option<Id> {
        self.nodes.push(node);
        let count = u32::try_from(self.nodes.len()).ok()?;
        NonZeroU32::new(count).map(Id)
    }

    /// Moves the elements of the stack from `at` on into a list.
    pub(super) fn list_from(&mut self, stack: &mut Vec<Id>, at: usize) -> Option<List> {
        let start = u32::try_from(self.lists.len()).ok()?;
        self.lists.extend_from_slice(stack.get(at..)?);
        stack.truncate(at);
        let end = u32::try_from(self.lists.len()).ok()?;
        let len = end.checked_sub(start)?;
        Some(List { start, len })
    }

    pub(super) fn node(&self, id: Id) -> Option<Node<'a>> {
        let at = id.0.get().checked_sub(1)?;
        self.nodes.get(usize::try_from(at).ok()?).copied()
    }

    /// Sets what a [`Node::Forward`] refers to.
    pub(super) fn resolve(&mut self, forward: Id, to: Id) -> Option<()> {
        let at = forward.0.get().checked_sub(1)?;
        let node = self.nodes.get_mut(usize::try_from(at).ok()?)?;
        *node = Node::Forward(Some(to));
        Some(())
    }

    pub(super) fn list(&self, list: List) -> &[Id] {
        let start = usize::try_from(list.start).ok();
        let len = usize::try_from(list.len).ok();
        let range = start.zip(len).and_then(|(start, len)| {
            let end = start.checked_add(len)?;
            self.lists.get(start..end)
        });
        range.unwrap_or_default()
    }
}
