//! Stacks, each once: a tree whose paths share what they have in common.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::index::{LocationIdx, index};

index!(
    /// The place of a stack in [`Stacks`]: of its innermost location.
    StackIdx
);

/// Stacks as a tree: a node is a location, and the stack that called it.
///
/// A node stands behind its caller, so a walk over all of them in order meets callers
/// first.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    nodes: Vec<Node>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    caller: Option<StackIdx>,
    location: LocationIdx,
}

impl Stacks {
    /// Returns the stack in which `caller` calls `location`, which is taken in if it is
    /// new. `None` as caller begins a stack, outermost.
    ///
    /// # Panics
    ///
    /// With 2^32 different stacks, which take 64 GiB and more of memory.
    pub fn call(&mut self, caller: Option<StackIdx>, location: LocationIdx) -> StackIdx {
        let node = Node { caller, location };
        let hash = self.hasher.hash_one(node);
        let Self { nodes, hasher, .. } = self;
        if let Some(place) = (self.places).find(hash, |place| get(nodes, *place) == Some(node)) {
            return StackIdx(*place);
        }
        let place = u32::try_from(nodes.len()).expect("fewer than 2^32 stacks");
        nodes.push(node);
        let rehash = |place: &u32| hasher.hash_one(get(nodes, *place).unwrap_or(node));
        self.places.insert_unique(hash, place, rehash);
        StackIdx(place)
    }

    /// Returns the stack of these locations, outermost first; `None` without any.
    pub fn intern(
        &mut self,
        outermost_first: impl IntoIterator<Item = LocationIdx>,
    ) -> Option<StackIdx> {
        let locations = outermost_first.into_iter();
        locations.fold(None, |caller, location| Some(self.call(caller, location)))
    }

    /// Returns the innermost location of a stack, and the stack that called it.
    #[must_use]
    pub fn get(&self, stack: StackIdx) -> Option<(LocationIdx, Option<StackIdx>)> {
        let Node { caller, location } = get(&self.nodes, stack.0)?;
        Some((location, caller))
    }

    /// Walks over the locations of a stack, innermost first.
    pub fn iter(&self, stack: Option<StackIdx>) -> impl Iterator<Item = LocationIdx> {
        let mut at = stack;
        std::iter::from_fn(move || {
            let (location, caller) = self.get(at?)?;
            at = caller;
            Some(location)
        })
    }

    /// Returns how many nodes the tree has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

fn get(nodes: &[Node], place: u32) -> Option<Node> {
    nodes.get(usize::try_from(place).ok()?).copied()
}

impl PartialEq for Stacks {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl Eq for Stacks {}

#[cfg(test)]
mod tests {
    use super::{LocationIdx, StackIdx, Stacks};

    #[test]
    fn stacks_share_their_callers() {
        let mut stacks = Stacks::default();
        let [main, work, read] = [7, 8, 9].map(LocationIdx);
        let reading = stacks.intern([main, work, read]);
        assert_eq!(stacks.intern([main, work, read]), reading);
        let working = stacks.intern([main, work]);
        assert_eq!(stacks.len(), 3);
        assert_eq!(stacks.iter(reading).collect::<Vec<_>>(), [read, work, main]);
        assert_eq!(stacks.iter(working).collect::<Vec<_>>(), [work, main]);
        assert_eq!(stacks.intern([]), None);
        assert_eq!(stacks.iter(None).count(), 0);
        assert_eq!(stacks.iter(Some(StackIdx(3))).count(), 0);
    }
}
