//! Adds frames to the locations of a profile.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backsight_profile::{FrameRange, Location, Profile, ProfileFrame, Strings};
use backsight_symbolize::{
    Answers, FrameRef, ModuleId, Oversized, Place, Request, Stack, Symbolizer,
};
use backsight_types::{Lookup, ModuleIdx, Reason};
use rayon::prelude::*;

use crate::descriptors;
use crate::find::ModuleFiles;
use crate::introduced::Introduced;
use crate::kernel_lines::{PhysicalFunction, wants_lines};
use crate::lookup::Known;

/// Locations that are looked up together. At 40 bytes each for request and answer, a batch stays
/// below 100 MB.
const BATCH_LOCATIONS: usize = 1 << 20;

/// Memory for tables kept between batches, unless the caller's budget is smaller. A location is looked up only once, so tables help
/// only while the recording adds locations; a recording of a whole machine has hundreds of
/// modules.
const KEPT_TABLE_BYTES: u64 = 96 << 20;

/// Symbolizes a profile, at once or while it grows.
#[derive(Debug)]
pub struct ProfileSymbolizer {
    symbolizer: Symbolizer,
    files: ModuleFiles,
    known: HashMap<ModuleIdx, Known>,
    /// The modules that are known.
    introduced: Introduced,
    answers: Answers,
    /// Locations before this index have been looked up.
    done: usize,
}

/// What symbolizing a profile reports, besides the frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedUp {
    /// The modules whose files were accepted by path alone.
    pub by_path_alone: Vec<ModuleIdx>,
    /// Debug files of the requested modules that were too large to read.
    pub oversized: Vec<Oversized>,
}

impl ProfileSymbolizer {
    /// Creates a symbolizer that looks for modules in `files`.
    pub fn new(files: ModuleFiles) -> Self {
        let mut options = files.symbols().clone();
        let budget = &mut options.budget;
        budget.kept_bytes = budget.kept_bytes.min(KEPT_TABLE_BYTES);
        budget.open_files = budget.open_files.min(descriptors::for_files());
        Self {
            symbolizer: Symbolizer::new(options),
            files,
            known: HashMap::new(),
            introduced: Introduced::default(),
            answers: Answers::default(),
            done: 0,
        }
    }

    /// Looks up each new location that has a module and no frames yet, modules in parallel. Sets
    /// its frames, or the reason why there are none.
    ///
    /// Existing frames are kept: the machine that recorded the profile may have had better
    /// information. A name alone of a function of the kernel is replaced by frames with lines, if
    /// the kernel's files have them and agree that this function is there.
    pub fn look_up(&mut self, profile: &mut Profile) -> LookedUp {
        self.meet_again(profile);
        let mut report = LookedUp {
            by_path_alone: self.introduce(profile),
            ..LookedUp::default()
        };
        while self.done < profile.locations.len() {
            let end = profile.locations.len().min(self.done + BATCH_LOCATIONS);
            self.batch(profile, end, &mut report.oversized);
            self.done = end;
        }
        report
    }

    /// Goes on with another profile, such as the next one of
    /// [`ProfileBuilder::take_profile`](crate::ProfileBuilder::take_profile). What was read of
    /// modules that it has, too, is kept; most quickly if they have the same indices.
    pub fn restart(&mut self) {
        self.done = 0;
    }

    /// Finds and opens the files of these modules, as many at once as given and in this order:
    /// for files that are fetched, of which those that most samples wait for come first.
    /// [`look_up`](Self::look_up) alone opens them in any order.
    ///
    /// Returns the modules whose files were accepted by path alone.
    pub fn open_first(
        &mut self,
        profile: &Profile,
        order: &[ModuleIdx],
        at_once: usize,
    ) -> Vec<ModuleIdx> {
        self.meet_again(profile);
        let mut first_location = HashMap::new();
        for location in &profile.locations {
            if let Some(module) = location.module {
                first_location.entry(module).or_insert(location);
            }
        }
        let Self {
            symbolizer,
            files,
            known,
            ..
        } = &*self;
        let order = order.iter().filter(|module| !known.contains_key(module));
        let (order, found) = (Mutex::new(order), Mutex::new(Vec::new()));
        let next = || lock(&order).next().copied();
        let open_all = || {
            while let Some(index) = next() {
                let Some(module) = profile.module(index) else {
                    continue;
                };
                let opened = files.introduce(symbolizer, module);
                lock(&found).push((index, opened));
                let location = first_location.get(&index);
                let place = location.and_then(|location| place_of(location));
                if let Some((module, place)) = opened.id.zip(place) {
                    // One answer has its files opened, and is not wanted.
                    let request = Request::new(module, place, Lookup::Exact);
                    let mut answers = Answers::default();
                    symbolizer.symbolize_each(&[request], &mut answers, |_, _| ());
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..at_once.max(1) {
                scope.spawn(open_all);
            }
            open_all();
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.keep(profile, found)
    }

    /// Returns the symbolizer, which reports the files it looked for and the indexes it could
    /// not write.
    pub fn symbolizer(&self) -> &Symbolizer {
        &self.symbolizer
    }

    fn batch(&mut self, profile: &mut Profile, end: usize, oversized: &mut Vec<Oversized>) {
        let mut asked: Vec<(usize, Known)> = Vec::new();
        let mut requests = Vec::new();
        let Profile {
            locations, frames, ..
        } = &mut *profile;
        let batch = locations.iter_mut().enumerate();
        for (at, location) in batch.take(end).skip(self.done) {
            let Some((place, known)) = request_of(location, frames, &self.known) else {
                continue;
            };
            match known.id {
                Some(module) => {
                    asked.push((at, known));
                    requests.push(Request::new(module, place, location.lookup));
                }
                None if location.frames.len == 0 => location.reason = Some(known.otherwise),
                None => {}
            }
        }
        let answers = &mut self.answers;
        self.symbolizer
            .symbolize_each(&requests, answers, |place, answer| {
                let Some((at, known)) = asked.get(place) else {
                    return;
                };
                if is_kept(profile, *at, &answer, *known) {
                    return;
                }
                let filled = answer.map(|stack| fill(profile, stack));
                let Some(location) = profile.locations.get_mut(*at) else {
                    return;
                };
                match filled {
                    Ok((frames, reason)) => (location.frames, location.reason) = (frames, reason),
                    Err(Reason::NoSymbols) => location.reason = Some(known.otherwise),
                    Err(reason) => location.reason = Some(reason),
                }
            });
        let mut modules: Vec<ModuleId> = requests.iter().map(|request| request.module).collect();
        modules.sort_unstable();
        modules.dedup();
        let all = modules.into_iter();
        oversized.extend(all.flat_map(|module| self.symbolizer.oversized(module)));
    }

    /// Finds the files of modules with new locations, in parallel. Returns the modules whose
    /// files were accepted by path alone.
    fn introduce(&mut self, profile: &Profile) -> Vec<ModuleIdx> {
        let new = profile.locations.iter().skip(self.done);
        let mut wanted: Vec<ModuleIdx> = new
            .filter(|location| location.frames.len == 0 || wants_lines(location, &profile.frames))
            .filter_map(|location| location.module)
            .filter(|module| !self.known.contains_key(module))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let Self {
            symbolizer, files, ..
        } = &*self;
        let introduce = |index: ModuleIdx| {
            let module = profile.module(index)?;
            Some((index, files.introduce(symbolizer, module)))
        };
        let found = match wanted.len() {
            0 | 1 => wanted.into_iter().filter_map(introduce).collect(),
            _ => symbolizer.install(|| wanted.into_par_iter().filter_map(introduce).collect()),
        };
        self.keep(profile, found)
    }

    /// Finds the modules that are known in a profile that may be another one. Those that it does
    /// not have are forgotten.
    fn meet_again(&mut self, profile: &Profile) {
        if self.done > 0 || self.introduced.are_in(profile) {
            return;
        }
        let old = std::mem::take(&mut self.introduced);
        let known = std::mem::take(&mut self.known);
        let (same, gone) = old.moved(profile);
        for (from, to) in same {
            if let (Some(known), Some(module)) = (known.get(&from), profile.module(to)) {
                self.known.insert(to, *known);
                self.introduced.add(to, module);
            }
        }
        let gone = gone.iter().filter_map(|index| known.get(index)?.id);
        for id in gone {
            self.symbolizer.remove(id);
        }
    }

    /// Keeps what was found. Returns the modules whose files were accepted by path alone.
    fn keep(&mut self, profile: &Profile, found: Vec<(ModuleIdx, Known)>) -> Vec<ModuleIdx> {
        for (index, _) in &found {
            if let Some(module) = profile.module(*index) {
                self.introduced.add(*index, module);
            }
        }
        let by_path = found.iter().filter(|(_, known)| known.by_path_alone);
        let by_path = by_path.map(|(index, _)| *index).collect();
        self.known.extend(found);
        by_path
    }
}

fn request_of(
    location: &Location,
    frames: &[ProfileFrame],
    known: &HashMap<ModuleIdx, Known>,
) -> Option<(Place, Known)> {
    let known = location.module.and_then(|index| known.get(&index));
    let is_asked = |known: &&Known| {
        location.frames.len == 0 || known.may_add_lines && wants_lines(location, frames)
    };
    let known = known.filter(is_asked).copied();
    place_of(location).zip(known)
}

/// Returns whether a location keeps the frames that it has, whatever was found.
fn is_kept(profile: &Profile, at: usize, found: &Result<Stack<'_>, Reason>, known: Known) -> bool {
    let location = profile.locations.get(at);
    let frames = location.map(|location| profile.frames_of(location));
    let Some(listed) = frames.and_then(<[_]>::last) else {
        return false;
    };
    let Ok(stack) = found else { return true };
    let has_line = stack.frames().any(|frame| frame.line.is_some());
    let Some(physical) = stack.frames().last() else {
        return true;
    };
    let listed = PhysicalFunction::of_profile(listed, &profile.strings);
    let must_be_same = known.adds_to_same_function;
    !PhysicalFunction::from(physical).replaces(&listed, has_line, must_be_same)
}

fn place_of(location: &Location) -> Option<Place> {
    match (location.virt_offset, location.file_offset) {
        (Some(virt), _) => Some(Place::Virt(virt)),
        (None, Some(offset)) => Some(Place::File(offset)),
        (None, None) => None,
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fill(profile: &mut Profile, stack: Stack<'_>) -> (FrameRange, Option<Reason>) {
    let Profile {
        frames, strings, ..
    } = profile;
    let start = frames.len();
    frames.extend(stack.frames().map(|frame| shown(strings, frame)));
    let len = u32::try_from(frames.len() - start);
    // The indexes of frames have 32 bits; later frames are dropped.
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
        start_file_offset: None,
    }
}
