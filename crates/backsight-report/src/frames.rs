//! The entries of each location, made once.

use std::collections::HashMap;

use backsight_profile::{Location, LocationIdx, Profile, StackIdx};

use crate::entry::{Inlines, ReportEntry, RowKind, SamePaths};

/// What the frames of a profile's stacks stand for: each different entry once, with a number. All
/// tables and trees are made of it.
#[derive(Debug)]
pub struct FrameEntries<'p> {
    profile: &'p Profile,
    by: RowKind,
    inlines: Inlines,
    same_paths: SamePaths,
    numbers: HashMap<ReportEntry, u32>,
    pub(crate) entries: Vec<ReportEntry>,
    /// Those of each location that was asked for, innermost first.
    of_locations: HashMap<LocationIdx, Box<[u32]>>,
}

impl<'p> FrameEntries<'p> {
    /// Has no entries yet: they are made when a stack or location is asked for.
    #[must_use]
    pub fn new(profile: &'p Profile, by: RowKind, inlines: Inlines) -> Self {
        Self {
            profile,
            by,
            inlines,
            same_paths: SamePaths::of(profile),
            numbers: HashMap::new(),
            entries: Vec::new(),
            of_locations: HashMap::new(),
        }
    }

    /// Appends the numbers of the entries of a stack, innermost first. A stack without locations
    /// has one entry without anything.
    pub fn of_stack(&mut self, stack: Option<StackIdx>, numbers: &mut Vec<u32>) {
        numbers.clear();
        for index in self.profile.stacks.iter(stack) {
            numbers.extend_from_slice(self.of_location(index));
        }
        if numbers.is_empty() {
            numbers.push(self.number(ReportEntry::default()));
        }
    }

    /// Returns the numbers of the entries of a location, innermost first: one for each of its
    /// frames, or one if it has none.
    pub fn of_location(&mut self, index: LocationIdx) -> &[u32] {
        if !self.of_locations.contains_key(&index) {
            let missing = Location::default();
            let made = self.make(self.profile.location(index).unwrap_or(&missing));
            self.of_locations.insert(index, made);
        }
        self.of_locations.get(&index).map_or(&[], |made| made)
    }

    fn make(&mut self, location: &Location) -> Box<[u32]> {
        let frames = self.profile.frames_of(location);
        let frames = match self.inlines {
            Inlines::Apart => frames,
            Inlines::Merged => frames
                .get(frames.len().saturating_sub(1)..)
                .unwrap_or_default(),
        };
        if frames.is_empty() {
            let entry = self.same_paths.entry(self.profile, location, None, self.by);
            return [self.number(entry)].into();
        }
        let mut made = Vec::with_capacity(frames.len());
        for frame in frames {
            let entry = self
                .same_paths
                .entry(self.profile, location, Some(frame), self.by);
            made.push(self.number(entry));
        }
        made.into()
    }

    fn number(&mut self, entry: ReportEntry) -> u32 {
        if let Some(number) = self.numbers.get(&entry) {
            return *number;
        }
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(entry);
        self.numbers.insert(entry, number);
        number
    }

    /// Returns all entries so far, in the order of their numbers.
    #[must_use]
    pub fn entries(&self) -> &[ReportEntry] {
        &self.entries
    }

    pub(crate) fn entry(&self, number: u32) -> ReportEntry {
        let at = usize::try_from(number).ok();
        at.and_then(|at| self.entries.get(at))
            .copied()
            .unwrap_or_default()
    }
}
