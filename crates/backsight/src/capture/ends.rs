//! Why the unwinding of recorded stack memory ended.

use backsight_unwind::WalkEnd;

/// How many stacks ended for each reason; `None` if the stack could not be unwound on this
/// machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(Vec<(Option<WalkEnd>, u64)>);

impl Ends {
    /// Counts a stack.
    pub(super) fn add(&mut self, end: Option<WalkEnd>) {
        // There are few reasons, so a linear search is fast.
        match self.0.iter_mut().find(|(of, _)| *of == end) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((end, 1)),
        }
    }

    /// Returns how many stacks were recorded as memory.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// Iterates over the reasons that occurred, with the number of stacks of each.
    pub fn iter(&self) -> impl Iterator<Item = (Option<WalkEnd>, u64)> {
        self.0.iter().copied()
    }
}
