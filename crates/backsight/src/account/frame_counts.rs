//! Counts frames with a name, and frames without one by reason and module.

use backsight_profile::{Location, Profile};
use backsight_types::{ModuleIdx, Reason};
use hashbrown::HashMap;

/// Counts frames with a name, and frames without one by reason and by module. A reason of `None`
/// means that the input does not give one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    named: u64,
    inferred: u64,
    by_reason: HashMap<Option<Reason>, u64>,
    by_module: HashMap<(ModuleIdx, Option<Reason>), u64>,
}

impl FrameCounts {
    /// Counts a location `count` times: as named if one of its frames has a function.
    pub(super) fn add(&mut self, profile: &Profile, location: &Location, count: u64) {
        let module = location.module.and_then(|module| profile.module(module));
        if module.is_some_and(|module| module.inferred) {
            self.add_inferred(count);
        }
        let frames = profile.frames_of(location);
        if frames.iter().any(|frame| frame.function.is_some()) {
            self.add_named(count);
            return;
        }
        self.add_nameless(location.module, location.reason, count);
    }

    pub(super) fn add_named(&mut self, count: u64) {
        self.named = self.named.saturating_add(count);
    }

    pub(super) fn add_inferred(&mut self, count: u64) {
        self.inferred = self.inferred.saturating_add(count);
    }

    pub(super) fn add_nameless(
        &mut self,
        module: Option<ModuleIdx>,
        reason: Option<Reason>,
        count: u64,
    ) {
        let total = self.by_reason.entry(reason).or_default();
        *total = total.saturating_add(count);
        if let Some(module) = module {
            let total = self.by_module.entry((module, reason)).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// Returns how many frames have a name.
    pub fn named(&self) -> u64 {
        self.named
    }

    /// Returns how many frames, with or without a name, are in memory without a file that was taken
    /// as the text of one.
    pub fn inferred(&self) -> u64 {
        self.inferred
    }

    /// Returns how many frames have no name.
    pub fn nameless(&self) -> u64 {
        self.by_reason
            .values()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Returns the number of nameless frames for each reason, largest first.
    pub fn by_reason(&self) -> Vec<(Option<Reason>, u64)> {
        let mut all: Vec<_> = self.by_reason.iter().map(|(of, n)| (*of, *n)).collect();
        all.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), name(*reason)));
        all
    }

    /// Returns the number of nameless frames for each module and reason, largest first.
    pub fn by_module(&self) -> Vec<(ModuleIdx, Option<Reason>, u64)> {
        let each = self.by_module.iter();
        let mut all: Vec<_> = each.map(|((module, of), n)| (*module, *of, *n)).collect();
        all.sort_by_key(|(module, _, count)| (std::cmp::Reverse(*count), *module));
        all
    }
}

/// Sort key of reasons with equal counts.
fn name(reason: Option<Reason>) -> &'static str {
    reason.map_or("unknown", Reason::as_str)
}
