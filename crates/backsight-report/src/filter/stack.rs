//! Which stacks are taken, and what is left of them.

use std::collections::HashMap;

use backsight_profile::{LocationIdx, Profile, StackIdx};

use super::SampleFilter;
use super::location::{Verdict, judge};

/// A filter with what it found of stacks and locations.
pub(super) struct StackFilter<'f> {
    filter: &'f SampleFilter,
    verdicts: HashMap<LocationIdx, Verdict>,
    /// What is left of a stack; `None` if samples of it are left out.
    known: HashMap<Option<StackIdx>, Option<Option<StackIdx>>>,
}

impl<'f> StackFilter<'f> {
    pub(super) fn new(filter: &'f SampleFilter) -> Self {
        Self {
            filter,
            verdicts: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// Returns what is left of a stack; `None` if its samples are left out.
    pub(super) fn of(
        &mut self,
        profile: &mut Profile,
        stack: Option<StackIdx>,
    ) -> Option<Option<StackIdx>> {
        if !self.filter.changes_stacks() {
            return Some(stack);
        }
        if let Some(known) = self.known.get(&stack) {
            return *known;
        }
        let left = self.left_of(profile, stack);
        self.known.insert(stack, left);
        left
    }

    fn left_of(
        &mut self,
        profile: &mut Profile,
        stack: Option<StackIdx>,
    ) -> Option<Option<StackIdx>> {
        let Self {
            filter, verdicts, ..
        } = self;
        let locations: Vec<LocationIdx> = profile.stacks.iter(stack).collect();
        let mut left = Vec::with_capacity(locations.len());
        let mut all = Verdict::default();
        for location in &locations {
            let verdict = match verdicts.get(location) {
                Some(verdict) => *verdict,
                None => {
                    let verdict = judge(filter, profile, *location);
                    verdicts.insert(*location, verdict);
                    verdict
                }
            };
            all.is_focus |= verdict.is_focus;
            all.is_ignored |= verdict.is_ignored;
            all.has_function |= verdict.has_function;
            all.has_module |= verdict.has_module;
            left.extend(verdict.left);
        }
        let is_taken = (filter.focus.is_none() || all.is_focus)
            && !all.is_ignored
            && (filter.function.is_none() || all.has_function)
            && (filter.module.is_none() || all.has_module);
        // A sample that had no stack has lost nothing, but is neither of the kernel nor of user
        // space.
        let is_emptied = left.is_empty() && (!locations.is_empty() || filter.space.is_some());
        if !is_taken || is_emptied {
            return None;
        }
        left.reverse();
        left.truncate(filter.max_depth.unwrap_or(usize::MAX));
        Some(profile.stacks.intern(left))
    }
}
