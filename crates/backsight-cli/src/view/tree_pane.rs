//! A call tree whose branches can be opened and closed.

use std::collections::HashSet;

use backsight_report::{CallTree, CallTreeNode};

use super::cursor::RowCursor;

#[derive(Debug, Default)]
pub(super) struct TreePane {
    nodes: Vec<CallTreeNode>,
    open: HashSet<usize>,
    /// The nodes that can be seen: those below open ones.
    lines: Vec<usize>,
    pub(super) cursor: RowCursor,
}

impl TreePane {
    /// A tree whose branch of the largest nodes is open, as long as nearly all goes that way.
    pub(super) fn of(tree: CallTree) -> Self {
        let mut pane = Self {
            nodes: tree.nodes,
            ..Self::default()
        };
        let mut at = 0;
        while let Some(node) = pane.nodes.get(at) {
            let next = at + 1;
            pane.open.insert(at);
            let goes_on = pane.nodes.get(next).is_some_and(|next| {
                next.depth > node.depth
                    && next.total.saturating_abs().saturating_mul(10)
                        >= node.total.saturating_abs().saturating_mul(9)
            });
            if !goes_on {
                break;
            }
            at = next;
        }
        pane.list();
        pane
    }

    fn list(&mut self) {
        self.lines.clear();
        let mut hidden_below = None;
        for (at, node) in self.nodes.iter().enumerate() {
            if hidden_below.is_some_and(|depth| node.depth > depth) {
                continue;
            }
            self.lines.push(at);
            hidden_below = (!self.open.contains(&at)).then_some(node.depth);
        }
        self.cursor.stay_within(self.lines.len());
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns a line: the node, whether it has children, and whether it is open.
    pub(super) fn line(&self, nth: usize) -> Option<(&CallTreeNode, bool, bool)> {
        let at = *self.lines.get(nth)?;
        let node = self.nodes.get(at)?;
        Some((node, self.has_children(at), self.open.contains(&at)))
    }

    fn has_children(&self, at: usize) -> bool {
        let depth = |at: usize| self.nodes.get(at).map(|node| node.depth);
        depth(at + 1) > depth(at)
    }

    pub(super) fn selected(&self) -> Option<&CallTreeNode> {
        let at = self.lines.get(self.cursor.selected)?;
        self.nodes.get(*at)
    }

    /// Opens the selected node; one that is open already: goes to its first child.
    pub(super) fn open(&mut self) {
        let Some(at) = self.lines.get(self.cursor.selected).copied() else {
            return;
        };
        if !self.has_children(at) {
            return;
        }
        if !self.open.insert(at) {
            self.cursor.selected += 1;
        }
        self.list();
    }

    /// Closes the selected node; one that is closed already: goes to its parent.
    pub(super) fn close(&mut self) {
        let Some(at) = self.lines.get(self.cursor.selected).copied() else {
            return;
        };
        if self.has_children(at) && self.open.remove(&at) {
            return self.list();
        }
        let depth = self.nodes.get(at).map_or(0, |node| node.depth);
        let above = self.lines.get(..self.cursor.selected).unwrap_or_default();
        let is_parent = |at: &usize| self.nodes.get(*at).is_some_and(|it| it.depth < depth);
        if let Some(parent) = above.iter().rposition(is_parent) {
            self.cursor.selected = parent;
        }
    }

    /// Opens all nodes.
    pub(super) fn open_all(&mut self) {
        self.open = (0..self.nodes.len()).collect();
        self.list();
    }
}
