//! Takes the profile of a recording that goes on: one for each minute, for example.
//!
//! What is known of processes and threads that live is kept, and the modules that they have
//! mapped. A wait that goes on is split: the time until now counts in the profile that is taken,
//! the rest in the next one.

use std::collections::{HashMap, HashSet};

use backsight_profile::{LocationIdx, Profile, Sample, StackIdx, ValueType};
use backsight_types::trace::Facts;
use backsight_types::{Module, ModuleIdx};

use super::about;
use super::events::Capture;
use super::injected::move_to_memory;

/// With more modules, those that no process has mapped any more are forgotten.
const MAX_MODULES: usize = 4096;

impl Capture {
    /// Returns the profile so far, and goes on with an empty one.
    pub(super) fn take_profile(&mut self, facts: &Facts) -> Profile {
        self.finish_piece();
        let waiting = self.off_cpu.split(&mut self.piece.switches);
        self.finish_piece();
        self.name_late();
        self.columns.choose(&mut self.profile);
        about::complete(&self.build_ids, &mut self.profile);
        about::comment(facts, self.times.take(), &mut self.profile);
        let moved = self.forget_modules(&waiting);
        self.piece.begin_profile();
        self.off_cpu.begin_profile();
        let Self { piece, threads, .. } = self;
        threads.begin_profile(|pid| piece.mappings_of(pid));
        let mut next = Profile {
            modules: match &moved {
                None => self.profile.modules.clone(),
                Some(moved) => kept(&self.profile.modules, moved),
            },
            ..Profile::default()
        };
        self.begin_texts(&mut next);
        let mut taken = std::mem::replace(&mut self.profile, next);
        let Self {
            piece,
            threads,
            profile,
            ..
        } = self;
        let mut copies = Copies {
            of: HashMap::new(),
            moved: moved.as_deref(),
        };
        for (number, sample) in waiting {
            let thread = sample.thread.and_then(|index| taken.thread(index));
            let who = thread.and_then(|thread| {
                let pid = taken.process(thread.process)?.pid;
                Some((pid, thread.tid?))
            });
            let sample = Sample {
                thread: who.and_then(|(pid, tid)| threads.thread(pid, tid, profile)),
                stack: copies.stack(profile, &taken, sample.stack),
                ..sample
            };
            piece.switches.wait(number, sample);
        }
        move_to_memory(&mut taken);
        taken
    }

    /// Gives the next profile the texts that are in use, and those alone: an agent meets new names
    /// for as long as it runs.
    fn begin_texts(&mut self, next: &mut Profile) {
        let old = &self.profile;
        let strings = &mut next.strings;
        let mut new = |index| old.strings.get(index).map(|text| strings.intern(text));
        let mut value = |it: &ValueType| {
            let (kind, unit) = (new(it.kind)?, new(it.unit)?);
            Some(ValueType { kind, unit })
        };
        next.sample_types = old.sample_types.iter().filter_map(&mut value).collect();
        let period = old.period.as_ref();
        next.period = period.and_then(|(it, count)| Some((value(it)?, *count)));
        self.threads.rename(new);
    }

    /// Forgets modules, if there are many. Returns where each is in the next profile.
    fn forget_modules(&mut self, waiting: &[(u64, Sample)]) -> Option<Vec<Option<ModuleIdx>>> {
        if self.profile.modules.len() < self.max_modules.max(MAX_MODULES) {
            return None;
        }
        let stacks = waiting.iter().map(|(_, sample)| sample.stack);
        let locations = stacks.flat_map(|stack| self.profile.stacks.iter(stack));
        let modules = locations.filter_map(|index| self.profile.location(index)?.module);
        let wanted: HashSet<ModuleIdx> = modules.collect();
        let moved = self.piece.forget_unmapped(&wanted);
        let count = moved.iter().flatten().count();
        // Not each time, if so many are mapped.
        self.max_modules = count.saturating_mul(2);
        self.unwinders.forget_files();
        self.archives.clear();
        Some(moved)
    }
}

fn kept(modules: &[Module], moved: &[Option<ModuleIdx>]) -> Vec<Module> {
    let all = modules.iter().zip(moved);
    let kept = all.filter(|(_, moved)| moved.is_some());
    kept.map(|(module, _)| module.clone()).collect()
}

/// What was copied from one profile to the next.
struct Copies<'a> {
    of: HashMap<LocationIdx, Option<LocationIdx>>,
    /// Where modules are in the next one; `None` if each is where it was.
    moved: Option<&'a [Option<ModuleIdx>]>,
}

impl Copies<'_> {
    /// Copies a stack.
    fn stack(
        &mut self,
        to: &mut Profile,
        from: &Profile,
        stack: Option<StackIdx>,
    ) -> Option<StackIdx> {
        let all: Vec<LocationIdx> = from.stacks.iter(stack).collect();
        let mut copies = Vec::with_capacity(all.len());
        for index in all {
            let copy = match self.of.get(&index) {
                Some(copy) => *copy,
                None => self.location(to, from, index),
            };
            self.of.insert(index, copy);
            copies.extend(copy);
        }
        // A stack is listed from its innermost frame, and made from its outermost.
        to.stacks.intern(copies.into_iter().rev())
    }

    fn location(
        &self,
        to: &mut Profile,
        from: &Profile,
        index: LocationIdx,
    ) -> Option<LocationIdx> {
        let mut location = *from.location(index)?;
        let mut frames = from.frames_of(&location).to_vec();
        for frame in &mut frames {
            for text in [
                &mut frame.function,
                &mut frame.linkage_name,
                &mut frame.file,
            ] {
                *text = text
                    .and_then(|text| from.strings.get(text))
                    .map(|text| to.strings.intern(text));
            }
        }
        location.frames = to.add_frames(frames).unwrap_or_default();
        if let (Some(moved), Some(module)) = (self.moved, location.module) {
            location.module = moved.get(module.as_usize()).copied().flatten();
        }
        to.add_location(location)
    }
}
