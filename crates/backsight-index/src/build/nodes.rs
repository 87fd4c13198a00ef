//! The call levels of one unit, without duplicates and without those that have no code.
//!
//! Debug information has a DIE for every inlined call, even if the optimizer removed all
//! its code: in a C++ program, a third of the calls have none. And a call has several
//! DIEs if its code was unrolled or split: in the same program, a fifth of the others.

use std::collections::hash_map::Entry;

use super::part::UnitPart;
use super::spots::{SpotMerger, row_of};
use crate::format::{CallNode, Le16, NONE, PointerMap, empty};

/// The nodes of one unit that an index keeps. Parents refer to these rows, spots to the
/// unit's rows, and functions to rows of the index.
#[derive(Debug)]
pub(super) struct UnitNodes {
    nodes: Vec<CallNode>,
    /// For each node of the unit, its row in `nodes`.
    rows: Vec<u32>,
}

/// The rows of nodes, for finding equal ones.
pub(super) type KnownNodes = PointerMap<CallNode, u32>;

impl UnitNodes {
    /// Converts the nodes of a unit, whose functions and files have these rows in the
    /// index. `known` is cleared and reused.
    pub(super) fn of(
        part: &UnitPart<'_>,
        functions: &[u32],
        files: &[u32],
        spots: &mut SpotMerger,
        known: &mut KnownNodes,
    ) -> Self {
        let needed = needed(part);
        let count = needed.iter().filter(|needed| **needed).count();
        let mut kept = Self {
            nodes: Vec::with_capacity(count),
            rows: Vec::with_capacity(needed.len()),
        };
        empty(known, count);
        known.reserve(count);
        let columns = part.node_columns.iter().copied();
        let columns = columns.chain(std::iter::repeat(Le16::default()));
        for ((node, column), needed) in part.nodes.iter().zip(columns).zip(needed) {
            if !needed {
                kept.rows.push(NONE);
                continue;
            }
            let mut node = node.moved(&kept.rows, functions);
            if node.row.parent().is_some() {
                let file = row_of(files, node.row.place());
                node = node.at_spot(spots.add(file, node.extent(), column.get()));
            }
            let row = match known.entry(node) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let row = u32::try_from(kept.nodes.len()).unwrap_or(NONE);
                    kept.nodes.push(node);
                    *new.insert(row)
                }
            };
            kept.rows.push(row);
        }
        kept
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the row in `nodes` of a node of the unit.
    pub(super) fn row_of(&self, node: u32) -> u32 {
        row_of(&self.rows, node)
    }

    /// Returns the nodes, renumbered for this many nodes before them. Spots still refer
    /// to the unit's rows.
    pub(super) fn renumbered(&self, others: u32) -> impl Iterator<Item = CallNode> {
        self.nodes.iter().map(move |node| node.renumbered(others))
    }
}

/// Converts the spot of a node, where the unit's spots have these rows.
pub(super) fn at_row(node: CallNode, spots: &[u32]) -> CallNode {
    match node.row.parent() {
        Some(_) => node.at_spot(row_of(spots, node.row.place())),
        None => node,
    }
}

/// Returns for each node whether it is needed: it, or a call inlined into it, has code.
/// Functions are always kept.
fn needed(part: &UnitPart<'_>) -> Vec<bool> {
    let mut needed: Vec<bool> = (part.nodes.iter())
        .map(|node| node.row.parent().is_none())
        .collect();
    let need = |needed: &mut Vec<bool>, node: u32| {
        let slot = usize::try_from(node).ok();
        if let Some(slot) = slot.and_then(|at| needed.get_mut(at)) {
            *slot = true;
        }
    };
    for (_, node) in &part.scopes {
        need(&mut needed, node.get());
    }
    // Parents precede their children.
    for (at, node) in part.nodes.iter().enumerate().rev() {
        if let (Some(parent), Some(true)) = (node.row.parent(), needed.get(at)) {
            need(&mut needed, parent);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::{KnownNodes, UnitNodes, at_row};
    use crate::build::part::UnitPart;
    use crate::build::spots::SpotMerger;
    use crate::format::{CallNode, Le16, Le32, NONE};

    /// Returns a unit with these nodes, and with scopes of some of them.
    fn unit(nodes: &[CallNode], scopes: &[u32]) -> UnitPart<'static> {
        UnitPart {
            nodes: nodes.to_vec(),
            node_columns: vec![Le16::new(7); nodes.len()],
            scopes: (0..)
                .map(Le32::new)
                .zip(scopes.iter().copied().map(Le32::new))
                .collect(),
            ..UnitPart::default()
        }
    }

    #[test]
    fn a_call_without_code_goes_and_a_function_stays() {
        let nodes = [
            CallNode::root(0, 0, 8),
            CallNode::inlined(0, 1, 0, 10),
            CallNode::inlined(0, 1, 0, 20),
            CallNode::inlined(2, 2, 0, 30),
            CallNode::root(2, 8, 8),
        ];
        let mut spots = SpotMerger::default();
        let mut known = KnownNodes::default();
        let unit = unit(&nodes, &[0, 3]);
        let kept = UnitNodes::of(&unit, &[5, 6, 7], &[9], &mut spots, &mut known);
        let (rows, _) = spots.into_tables();
        let lines: Vec<u32> = rows.iter().map(|spot| spot.line.get()).collect();
        assert_eq!(lines, [20, 30]);
        let want = [
            CallNode::root(5, 0, 8),
            CallNode::inlined(0, 6, 3, 0),
            CallNode::inlined(1, 7, 4, 0),
            CallNode::root(7, 8, 8),
        ];
        let moved = |others| {
            let nodes = kept.renumbered(others).map(|node| at_row(node, &[3, 4]));
            nodes.collect::<Vec<CallNode>>()
        };
        assert_eq!(moved(0), want);
        let rows = [0, 1, 2, 3, 4, 5].map(|node| kept.row_of(node));
        assert_eq!(rows, [0, NONE, 1, 2, 3, NONE]);
        let want = [
            want[0],
            CallNode::inlined(40, 6, 3, 0),
            CallNode::inlined(41, 7, 4, 0),
            want[3],
        ];
        assert_eq!(moved(40), want);
    }

    #[test]
    fn equal_calls_and_what_they_call_become_one() {
        let nodes = [
            CallNode::root(0, 0, 8),
            CallNode::inlined(0, 1, 0, 10),
            CallNode::inlined(0, 2, 0, 10),
            CallNode::inlined(1, 1, 1, 11),
            CallNode::inlined(2, 1, 1, 11),
            CallNode::inlined(0, 1, 0, 10).cut(),
        ];
        // The second and third function have the same row, and so do the files.
        let mut spots = SpotMerger::default();
        let unit = unit(&nodes, &[0, 1, 2, 3, 4, 5]);
        let mut known = KnownNodes::default();
        let kept = UnitNodes::of(&unit, &[0, 1, 1], &[3, 3], &mut spots, &mut known);
        let want = [
            CallNode::root(0, 0, 8),
            CallNode::inlined(0, 1, 0, 0),
            CallNode::inlined(1, 1, 1, 0),
            CallNode::inlined(0, 1, 0, 0).cut(),
        ];
        assert_eq!(kept.renumbered(0).collect::<Vec<CallNode>>(), want);
        let rows = [0, 1, 2, 3, 4, 5].map(|node| kept.row_of(node));
        assert_eq!(rows, [0, 1, 1, 2, 2, 3]);
    }
}
