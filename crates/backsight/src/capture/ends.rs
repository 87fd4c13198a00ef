//! Why stacks that were recorded as memory have no more frames.

use backsight_unwind::WalkEnd;

/// How many stacks ended how. `None` is for a stack that could not be walked here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(Vec<(Option<WalkEnd>, u64)>);

impl Ends {
    /// Counts a stack.
    pub(super) fn add(&mut self, end: Option<WalkEnd>) {
        // There are few kinds, so a walk finds one.
        match self.0.iter_mut().find(|(of, _)| *of == end) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((end, 1)),
        }
    }

    /// Returns how many stacks were recorded as memory.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// Walks over the kinds of ends that there were, each once, with how many stacks ended
    /// so.
    pub fn iter(&self) -> impl Iterator<Item = (Option<WalkEnd>, u64)> {
        self.0.iter().copied()
    }
}
