//! The frames of a profile.

use std::collections::HashMap;

use backsight_profile::{FrameRange, Location, Profile, ProfileFrame, Strings};
use backsight_symbolize::{
    Answers, FrameRef, ModuleId, Oversized, Place, Request, Stack, Symbolizer,
};
use backsight_types::{ModuleIdx, Reason};
use rayon::prelude::*;

use crate::find::ModuleFiles;
use crate::lookup::Known;

/// Places that are looked up together: with 40 bytes each for question and answer they
/// stay below 100 MB.
const BATCH: usize = 1 << 20;

/// A place is looked up once, so that keeping tables pays only while a recording goes
/// on naming new ones: a recording of a whole machine names hundreds of modules.
const KEPT: u64 = 96 << 20;

/// Looks up the places of a profile, once or as it grows.
#[derive(Debug)]
pub struct ProfileSymbolizer {
    symbolizer: Symbolizer,
    files: ModuleFiles,
    known: HashMap<ModuleIdx, Known>,
    answers: Answers,
    /// Locations before this one have their answer.
    done: usize,
}

/// What came of looking a profile up, besides its frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedUp {
    /// The modules whose files were taken by their paths alone.
    pub by_path_alone: Vec<ModuleIdx>,
    /// Debug files that were too large to be read, of the modules that were asked about.
    pub oversized: Vec<Oversized>,
}

impl ProfileSymbolizer {
    /// Has modules looked for in these places.
    pub fn new(files: ModuleFiles) -> Self {
        let mut options = files.symbols().clone();
        options.budget.kept_bytes = KEPT;
        Self {
            symbolizer: Symbolizer::new(options),
            files,
            known: HashMap::new(),
            answers: Answers::default(),
            done: 0,
        }
    }

    /// Looks every new location up that has a place in a module and no frames yet,
    /// module by module in parallel, and fills in its frames or the reason why there are
    /// none.
    ///
    /// Frames that are there stay: whoever caught the profile may have known more.
    pub fn look_up(&mut self, profile: &mut Profile) -> LookedUp {
        let mut came_of_it = LookedUp {
            by_path_alone: self.introduce(profile),
            ..LookedUp::default()
        };
        while self.done < profile.locations.len() {
            let end = profile.locations.len().min(self.done + BATCH);
            self.batch(profile, end, &mut came_of_it.oversized);
            self.done = end;
        }
        came_of_it
    }

    /// Returns what knows the modules: what was looked for, and what could not be written.
    pub fn symbolizer(&self) -> &Symbolizer {
        &self.symbolizer
    }

    fn batch(&mut self, profile: &mut Profile, end: usize, oversized: &mut Vec<Oversized>) {
        let mut asked: Vec<(usize, Reason)> = Vec::new();
        let mut requests = Vec::new();
        let batch = profile.locations.iter_mut().enumerate();
        for (at, location) in batch.take(end).skip(self.done) {
            let Some((place, Known { id, otherwise, .. })) = question(location, &self.known) else {
                continue;
            };
            match id {
                Some(module) => {
                    asked.push((at, otherwise));
                    requests.push(Request::new(module, place, location.lookup));
                }
                None => location.reason = Some(otherwise),
            }
        }
        let answers = &mut self.answers;
        self.symbolizer
            .symbolize_each(&requests, answers, |place, answer| {
                let filled = answer.map(|stack| fill(profile, stack));
                let Some((at, otherwise)) = asked.get(place) else {
                    return;
                };
                let Some(location) = profile.locations.get_mut(*at) else {
                    return;
                };
                match filled {
                    Ok((frames, reason)) => (location.frames, location.reason) = (frames, reason),
                    Err(Reason::NoSymbols) => location.reason = Some(*otherwise),
                    Err(reason) => location.reason = Some(reason),
                }
            });
        let mut modules: Vec<ModuleId> = requests.iter().map(|request| request.module).collect();
        modules.sort_unstable();
        modules.dedup();
        let all = modules.into_iter();
        oversized.extend(all.flat_map(|module| self.symbolizer.oversized(module)));
    }

    /// Finds the files of the modules that are asked about first, side by side. Returns
    /// those that were taken by their paths alone.
    fn introduce(&mut self, profile: &Profile) -> Vec<ModuleIdx> {
        let new = profile.locations.iter().skip(self.done);
        let mut wanted: Vec<ModuleIdx> = new
            .filter(|location| location.frames.len == 0)
            .filter_map(|location| location.module)
            .filter(|module| !self.known.contains_key(module))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let Self {
            symbolizer, files, ..
        } = &*self;
        let found = wanted.into_par_iter().filter_map(|index| {
            let module = profile.module(index)?;
            Some((index, files.introduce(symbolizer, module)))
        });
        let found: Vec<(ModuleIdx, Known)> = found.collect();
        let by_path = found.iter().filter(|(_, known)| known.by_path_alone);
        let by_path = by_path.map(|(index, _)| *index).collect();
        self.known.extend(found);
        by_path
    }
}

fn question(location: &Location, known: &HashMap<ModuleIdx, Known>) -> Option<(Place, Known)> {
    let place = match (location.virt_offset, location.file_offset) {
        _ if location.frames.len > 0 => None,
        (Some(virt), _) => Some(Place::Virt(virt)),
        (None, Some(offset)) => Some(Place::File(offset)),
        (None, None) => None,
    };
    let known = location.module.and_then(|index| known.get(&index));
    place.zip(known.copied())
}

fn fill(profile: &mut Profile, stack: Stack<'_>) -> (FrameRange, Option<Reason>) {
    let Profile {
        frames, strings, ..
    } = profile;
    let start = frames.len();
    frames.extend(stack.frames().map(|frame| shown(strings, frame)));
    let len = u32::try_from(frames.len() - start);
    // A profile of 2^32 frames has no room for more.
    let range = u32::try_from(start).ok().zip(len.ok());
    let range = range.map(|(start, len)| FrameRange { start, len });
    let reason = stack.limit_reached().then_some(Reason::Limit);
    (range.unwrap_or_default(), reason)
}

fn shown(strings: &mut Strings, frame: FrameRef<'_>) -> ProfileFrame {
    let linkage = frame.linkage_name();
    let linkage = linkage
        .as_deref()
        .filter(|name| frame.function != Some(name));
    let mut name = |text: Option<&str>| text.map(|text| strings.intern(text));
    ProfileFrame {
        function: name(frame.function),
        linkage_name: name(linkage),
        file: name(frame.file),
        line: frame.line,
        column: frame.column,
        start_line: frame.start_line(),
        inlined: frame.inlined,
        start: frame.start(),
    }
}
