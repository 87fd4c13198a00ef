//! Who calls whom, as a tree.

use std::cmp::Reverse;
use std::collections::HashMap;

use backsight_profile::Profile;

use crate::amounts::Amounts;
use crate::entry::{Inlines, ReportEntry, RowKind};
use crate::frames::FrameEntries;

/// Where a tree begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// At the outermost functions; children are called by their parent.
    #[default]
    Callees,
    /// At the innermost functions; children call their parent.
    Callers,
}

/// A tree of calls. Its nodes are in depth-first order, and siblings by their totals.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallTree {
    /// The sum of all samples.
    pub whole: i64,
    /// The nodes.
    pub nodes: Vec<CallTreeNode>,
}

/// A node of a [`CallTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallTreeNode {
    /// What it stands for.
    pub entry: ReportEntry,
    /// The number of nodes between it and the root of the tree.
    pub depth: u32,
    /// The amount of samples whose stack ends here.
    pub own: i64,
    /// The amount of samples whose stack passes or ends here.
    pub total: i64,
    /// The sum of the children that are not in the tree, because each of them is below the share
    /// that was asked for, and how many they are.
    pub folded: (u32, i64),
}

#[derive(Default)]
struct Building {
    number: u32,
    own: i64,
    total: i64,
    children: Vec<usize>,
}

impl CallTree {
    /// Makes the tree of a value, given by the index of its sample type. Nodes whose total is less
    /// than `least` are folded into their parent's [`folded`](CallTreeNode::folded).
    #[must_use]
    pub fn of(
        profile: &Profile,
        value: u32,
        by: RowKind,
        inlines: Inlines,
        direction: Direction,
        least: impl Fn(i64) -> i64,
    ) -> Self {
        Self::made(profile, value, by, inlines, direction, None, least)
    }

    /// Makes the tree of who calls a function, or of what it calls. Its root is the function, with
    /// the samples in whose stack it is. Where it calls itself, the outermost of its frames is
    /// taken, so that a sample counts once.
    #[must_use]
    pub fn around(
        profile: &Profile,
        value: u32,
        function: &ReportEntry,
        inlines: Inlines,
        direction: Direction,
    ) -> Self {
        let by = RowKind::Function;
        Self::made(
            profile,
            value,
            by,
            inlines,
            direction,
            Some(function),
            |_| 0,
        )
    }

    fn made(
        profile: &Profile,
        value: u32,
        by: RowKind,
        inlines: Inlines,
        direction: Direction,
        around: Option<&ReportEntry>,
        least: impl Fn(i64) -> i64,
    ) -> Self {
        let amounts = Amounts::of(profile, value);
        let mut frames = FrameEntries::new(profile, by, inlines);
        // The first node is above all roots.
        let mut nodes = vec![Building::default()];
        let mut places: HashMap<(usize, u32), usize> = HashMap::new();
        let mut numbers = Vec::new();
        for (stack, amount) in &amounts.by_stack {
            frames.of_stack(*stack, &mut numbers);
            if let Some(function) = around {
                let is_it = |number: &u32| frames.entry(*number) == *function;
                let Some(outermost) = numbers.iter().rposition(is_it) else {
                    continue;
                };
                match direction {
                    Direction::Callees => numbers.truncate(outermost.saturating_add(1)),
                    Direction::Callers => drop(numbers.drain(..outermost)),
                }
            }
            if direction == Direction::Callees {
                numbers.reverse();
            }
            let mut at = 0;
            for number in &numbers {
                let new = nodes.len();
                let next = *places.entry((at, *number)).or_insert(new);
                if next == new {
                    nodes.push(Building {
                        number: *number,
                        ..Building::default()
                    });
                    if let Some(parent) = nodes.get_mut(at) {
                        parent.children.push(new);
                    }
                }
                at = next;
                if let Some(node) = nodes.get_mut(at) {
                    node.total = node.total.saturating_add(*amount);
                }
            }
            if let Some(node) = nodes.get_mut(at) {
                node.own = node.own.saturating_add(*amount);
            }
        }
        let least = least(amounts.whole);
        Self {
            whole: amounts.whole,
            nodes: flattened(&mut nodes, &frames, least),
        }
    }
}

/// Returns the nodes in depth-first order. The depth of recursion does not depend on the input.
fn flattened(nodes: &mut [Building], frames: &FrameEntries<'_>, least: i64) -> Vec<CallTreeNode> {
    let mut flat = Vec::new();
    let mut waiting: Vec<(usize, u32)> = vec![(0, 0)];
    while let Some((at, level)) = waiting.pop() {
        let children = match nodes.get_mut(at) {
            Some(node) => std::mem::take(&mut node.children),
            None => continue,
        };
        let total = |child: &usize| nodes.get(*child).map_or(0, |node| node.total);
        let is_large = |child: &usize| total(child).saturating_abs() >= least;
        let (mut large, small): (Vec<usize>, Vec<usize>) = children.into_iter().partition(is_large);
        let sum = small.iter().map(total).fold(0, i64::saturating_add);
        // The last in the list of waiting nodes is the next.
        large.sort_by_key(|child| (total(child).saturating_abs(), Reverse(*child)));
        if let Some(node) = nodes.get(at).filter(|_| at != 0) {
            flat.push(CallTreeNode {
                entry: frames.entry(node.number),
                depth: level.saturating_sub(1),
                own: node.own,
                total: node.total,
                folded: (u32::try_from(small.len()).unwrap_or(u32::MAX), sum),
            });
        }
        waiting.extend(
            large
                .into_iter()
                .map(|child| (child, level.saturating_add(1))),
        );
    }
    flat
}
