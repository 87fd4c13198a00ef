//! Why stacks that were recorded as memory have no more frames.

use backsight_unwind::End;

/// How many stacks ended how. `None` is for a stack that could not be walked here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends(Vec<(Option<End>, u64)>);

impl Ends {
    /// Counts a stack.
    pub(crate) fn add(&mut self, end: Option<End>) {
        // There are few kinds, so a walk finds one.
        match self.0.iter_mut().find(|(of, _)| *of == end) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((end, 1)),
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// Returns all, as they are called and with their counts, most first.
    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        self.sorted(|_| true, name)
    }

    /// The same of those that have a caller which was not found, with what is said.
    pub(super) fn short(&self) -> Vec<(&'static str, u64)> {
        self.sorted(|end| *end != Some(End::Outermost), words)
    }

    fn sorted(
        &self,
        wanted: impl Fn(&Option<End>) -> bool,
        called: impl Fn(Option<End>) -> &'static str,
    ) -> Vec<(&'static str, u64)> {
        let wanted = self.0.iter().filter(|(end, _)| wanted(end));
        let mut all: Vec<_> = wanted.map(|(end, count)| (called(*end), *count)).collect();
        all.sort_by_key(|(what, count)| (std::cmp::Reverse(*count), *what));
        all
    }
}

/// Returns what JSON calls it.
fn name(end: Option<End>) -> &'static str {
    match end {
        None => "not-walked",
        Some(End::Outermost) => "outermost",
        Some(End::NotRecorded) => "not-recorded",
        Some(End::NoRule) => "no-rule",
        Some(End::NotCode) => "not-code",
        Some(End::NoProgress) => "no-progress",
        Some(End::Limit) => "limit",
        Some(_) => "other",
    }
}

/// Returns how it is said to people, after a number of stacks.
fn words(end: Option<End>) -> &'static str {
    match end {
        None => "of a machine or with registers that are not walked here",
        Some(End::NotRecorded) => "beyond the memory that was recorded",
        Some(End::NoRule) => "where call frame information does not lead on",
        Some(End::NotCode) => "where no file's call frame information is at hand",
        Some(End::NoProgress) => "where the caller would not lie above",
        Some(End::Limit) => "at a limit of frames and work",
        Some(_) => "for another reason",
    }
}
