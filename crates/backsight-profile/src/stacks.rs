//! Stacks, each stored once: a tree in which stacks share their outer frames.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::index::{LocationIdx, index};

index!(
    /// The index of a stack in [`Stacks`]: that of the node of its innermost location.
    StackIdx
);

/// Stacks as a tree: a node is a location, and the stack of its caller.
///
/// The index of a node is higher than that of its caller, so a loop over all nodes in
/// order processes callers first.
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
    /// Returns the stack in which `caller` calls `location`, and adds it if it is new.
    /// Without a caller, `location` is the outermost one.
    ///
    /// # Panics
    ///
    /// With 2^32 different stacks, which take at least 64 GiB of memory.
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

    /// Returns the stack of these locations, outermost first; `None` if there are no
    /// locations.
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

    /// Iterates over the locations of a stack, innermost first.
    pub fn iter(&self, stack: Option<StackIdx>) -> impl Iterator<Item = LocationIdx> {
        let mut at = stack;
        std::iter::from_fn(move || {
            let (location, caller) = self.get(at?)?;
            at = caller;
            Some(location)
        })
    }

    /// Returns the number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether there are no stacks.
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
