//! How a batch is looked up: for each module in its index, or unit by unit.

use std::hint::black_box;
use std::sync::Arc;

use backsight_index::IndexView;
use backsight_index::engine::NONE;
use backsight_types::{Reason, VirtOffset};
use rayon::prelude::*;

use crate::answers::{Answer, Answers};
use crate::distinct_estimate::DistinctEstimate;
use crate::groups::{ADDRESSES_PER_TASK, groups, look_up};
use crate::module::SymbolModule;
use crate::module_list::ModuleList;
use crate::module_numbers::ModuleNumbers;
use crate::options::Options;
use crate::options::Tier;
use crate::request::{ModuleId, Request};

/// Lookups that are interleaved: enough that their cache misses overlap, few enough that
/// what they read stays in the L1 cache.
const INTERLEAVED_LOOKUPS: usize = 32;

/// Length of the prefix that is checked for sortedness. Of chunks in random order, one in
/// thousands begins with a sorted prefix.
const SORTED_PREFIX: usize = 8;

/// Which names a batch makes in advance, for all of its answers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamePolicy {
    /// Those that answers borrow from the index.
    Borrowed,
    /// None: answers are copied, with names of their own.
    Owned,
}

/// The modules of a batch, in the order in which it first names them.
#[derive(Debug)]
pub(crate) struct BatchModules {
    numbers: ModuleNumbers,
    ids: Vec<ModuleId>,
    modules: Vec<Arc<SymbolModule>>,
    /// For how many addresses each is asked.
    counts: Vec<usize>,
}

/// How each module of a batch is looked up.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    batch: BatchModules,
    /// For each module of the batch the number of its index among those of the answers, or
    /// [`NONE`] when it is looked up unit by unit.
    numbers: Vec<u32>,
    /// Whether any module of the batch is.
    pub(crate) walks_units: bool,
    /// The modules of which it is time to count what they keep: they were not indexed before,
    /// or were used often since.
    pub(crate) to_count: Vec<ModuleId>,
    /// The modules of which an index was built, or read.
    pub(crate) newly_indexed: Vec<ModuleId>,
    /// What indexing the largest of them may have taken for a while.
    pub(crate) indexing_bytes: u64,
}

impl BatchModules {
    /// Finds the modules of a batch.
    pub(crate) fn new(all: &ModuleList, requests: &[Request]) -> Self {
        let mut batch = Self {
            numbers: ModuleNumbers::new(all.slots(), requests.len()),
            ids: Vec::new(),
            modules: Vec::new(),
            counts: Vec::new(),
        };
        for request in requests {
            let number = batch.numbers.get(request.module);
            let known = usize::try_from(number).ok();
            if let Some(count) = known.and_then(|at| batch.counts.get_mut(at)) {
                *count = count.saturating_add(1);
            } else if let Some(module) = all.get(request.module) {
                let number = u32::try_from(batch.ids.len()).unwrap_or(NONE);
                batch.numbers.set(request.module, number);
                batch.ids.push(request.module);
                batch.modules.push(Arc::clone(module));
                batch.counts.push(1);
            }
        }
        batch
    }

    /// Returns the place of a request's module, unless it was removed.
    #[inline]
    fn place(&self, module: ModuleId) -> Option<usize> {
        let at = usize::try_from(self.numbers.get(module)).ok()?;
        (self.ids.get(at) == Some(&module)).then_some(at)
    }

    /// Whether all modules are indexed: then no file is read.
    pub(crate) fn are_indexed(&self) -> bool {
        let indexed = |module: &Arc<SymbolModule>| module.indexed().is_some();
        self.modules.iter().all(indexed)
    }

    /// Counts the different addresses of each module that has no index, where requests were
    /// counted: only they cost something.
    fn count_distinct(&mut self, requests: &[Request]) {
        let each = self.modules.iter().zip(&self.counts);
        let counted = each.map(|(module, count)| {
            let many = *count > ADDRESSES_PER_TASK && module.indexed().is_none();
            many.then(|| DistinctEstimate::of(*count))
        });
        let mut estimates: Vec<Option<DistinctEstimate>> = counted.collect();
        if estimates.iter().all(Option::is_none) {
            return;
        }
        for request in requests {
            let place = self.place(request.module);
            if let Some(Some(distinct)) = place.and_then(|at| estimates.get_mut(at)) {
                distinct.insert(request);
            }
        }
        for (count, distinct) in self.counts.iter_mut().zip(&estimates) {
            *count = distinct.as_ref().map_or(*count, DistinctEstimate::count);
        }
    }
}

impl BatchPlan {
    /// Opens the modules of the batch, side by side, and indexes those of which
    /// enough was asked.
    pub(crate) fn new(
        mut modules: BatchModules,
        requests: &[Request],
        batch: u64,
        options: &Options,
        answers: &mut Answers,
    ) -> Self {
        if options.tier == Tier::Auto {
            modules.count_distinct(requests);
        }
        let are_indexed = modules.are_indexed();
        let BatchModules {
            ids,
            modules: all,
            counts,
            ..
        } = &modules;
        let plan = |(module, count): (&Arc<SymbolModule>, &usize)| {
            let was_indexed = module.indexed().is_some();
            let is_due = module.note_use(batch);
            let index = index_of(module, *count, options);
            PlannedModule {
                is_new: !was_indexed && module.indexed().is_some(),
                is_to_count: is_due || !was_indexed,
                index,
            }
        };
        let planned: Vec<PlannedModule> = match all.len() {
            0 | 1 => all.iter().zip(counts).map(plan).collect(),
            _ if are_indexed => all.iter().zip(counts).map(plan).collect(),
            _ => {
                let each = all.par_iter().with_max_len(1);
                each.zip(counts).map(plan).collect()
            }
        };
        let mut numbers = Vec::with_capacity(planned.len());
        let (mut to_count, mut newly_indexed) = (Vec::new(), Vec::new());
        let mut indexing_bytes = 0;
        for ((id, module), planned) in ids.iter().zip(all).zip(planned) {
            let number = planned.index.and_then(|index| {
                let number = u32::try_from(answers.indexed.len()).ok()?;
                answers.indexed.push(index);
                Some(number)
            });
            numbers.push(number.unwrap_or(NONE));
            to_count.extend(planned.is_to_count.then_some(*id));
            if planned.is_new {
                newly_indexed.push(*id);
                indexing_bytes = module.indexing_bytes().max(indexing_bytes);
            }
        }
        Self {
            walks_units: numbers.contains(&NONE),
            batch: modules,
            numbers,
            to_count,
            newly_indexed,
            indexing_bytes,
        }
    }

    /// Returns the index that a request is looked up in, with its number, and where.
    #[inline]
    fn locate<'i>(
        &self,
        request: &Request,
        indexes: &'i [Arc<IndexView>],
    ) -> Result<(u32, &'i IndexView, VirtOffset), Reason> {
        let at = self.batch.place(request.module);
        let at = at.ok_or(Reason::NoSymbols)?;
        let (Some(module), Some(number)) = (self.batch.modules.get(at), self.numbers.get(at))
        else {
            return Err(Reason::NoSymbols);
        };
        let indexed = usize::try_from(*number).ok().and_then(|at| indexes.get(at));
        let indexed = indexed.ok_or(Reason::NoSymbols)?;
        let virt = module.resolve(request.place, request.lookup)?;
        Ok((*number, indexed, virt))
    }

    /// Answers a request from its module's index, if it has one.
    #[inline]
    fn find(&self, request: &Request, indexes: &[Arc<IndexView>]) -> Answer {
        match self.locate(request, indexes) {
            Err(reason) => Answer::Missing(reason),
            Ok((number, indexed, virt)) => match indexed.find(virt.0) {
                Some(hit) => Answer::Indexed(number, hit),
                None => Answer::Missing(indexed.missing_reason()),
            },
        }
    }

    /// Answers requests from their modules' indexes. What is not answered stays as it
    /// is.
    pub(crate) fn find_all(
        &self,
        requests: &[Request],
        entries: &mut [Answer],
        indexes: &[Arc<IndexView>],
        names: NamePolicy,
    ) {
        // Sorted requests read adjacent rows, so that interleaving them would not pay.
        let first = requests.get(..SORTED_PREFIX).unwrap_or(requests);
        if first.is_sorted_by_key(|request| request.place.raw()) {
            for (entry, request) in entries.iter_mut().zip(requests) {
                *entry = self.find(request, indexes);
            }
        } else {
            let steps = entries
                .chunks_mut(INTERLEAVED_LOOKUPS)
                .zip(requests.chunks(INTERLEAVED_LOOKUPS));
            for (entries, requests) in steps {
                self.find_few(requests, entries, indexes);
            }
        }
        // Of an index that is checked as it is read, all that will be shown is read now.
        let is_checked = |indexed: &Arc<IndexView>| indexed.is_checked();
        if names == NamePolicy::Owned && !indexes.iter().any(is_checked) {
            return;
        }
        let index_of = |entry: &Answer| match entry {
            Answer::Indexed(number, _) => Some(*number),
            Answer::Frames(_) | Answer::Missing(_) => None,
        };
        for same in entries.chunk_by(|a, b| index_of(a) == index_of(b)) {
            let number = same.first().and_then(index_of);
            let at = number.and_then(|number| usize::try_from(number).ok());
            let Some(indexed) = at.and_then(|at| indexes.get(at)) else {
                continue;
            };
            let hits = same.iter().filter_map(|entry| match entry {
                Answer::Indexed(_, hit) => Some(*hit),
                Answer::Frames(_) | Answer::Missing(_) => None,
            });
            indexed.check(hits.clone());
            if names == NamePolicy::Borrowed {
                indexed.prepare(hits);
            }
        }
    }

    /// Returns the modules whose index turned out to be damaged.
    pub(crate) fn damaged(&self, indexes: &[Arc<IndexView>]) -> Vec<ModuleId> {
        let is_damaged = |number: &u32| {
            let at = usize::try_from(*number).ok();
            at.and_then(|at| indexes.get(at))
                .is_some_and(|indexed| indexed.found_damage())
        };
        let modules = self.batch.ids.iter().zip(&self.numbers);
        let damaged = modules.filter(|(_, number)| is_damaged(number));
        damaged.map(|(id, _)| *id).collect()
    }

    /// Answers at most [`INTERLEAVED_LOOKUPS`] requests, all of them a step at a time: what one reads of
    /// memory does not wait for what the one before it does.
    fn find_few(&self, requests: &[Request], entries: &mut [Answer], indexes: &[Arc<IndexView>]) {
        let mut begun = [const { Err(Reason::NoSymbols) }; INTERLEAVED_LOOKUPS];
        for (begun, request) in begun.iter_mut().zip(requests) {
            *begun = self
                .locate(request, indexes)
                .and_then(|(number, indexed, virt)| {
                    let search = indexed.search(virt.0);
                    let search = search.ok_or_else(|| indexed.missing_reason())?;
                    Ok((number, indexed, search))
                });
        }
        let begun = begun.get(..requests.len()).unwrap_or_default();
        let mut touched = 0;
        for (_, indexed, search) in begun.iter().flatten() {
            touched ^= indexed.touch(search);
        }
        black_box(touched);
        for (entry, begun) in entries.iter_mut().zip(begun) {
            let found = begun.and_then(|(number, indexed, search)| {
                let hit = indexed.finish(search);
                let hit = hit.ok_or_else(|| indexed.missing_reason())?;
                Ok(Answer::Indexed(number, hit))
            });
            *entry = found.unwrap_or_else(Answer::Missing);
        }
    }

    /// Answers the requests whose modules have no index, each distinct address
    /// once.
    pub(crate) fn walk_units(&self, requests: &[Request], answers: &mut Answers) {
        let resolve = |(at, request): (usize, &Request)| {
            let number = self.batch.place(request.module)?;
            if self.numbers.get(number) != Some(&NONE) {
                return None;
            }
            let module = self.batch.modules.get(number)?;
            let place = module.resolve(request.place, request.lookup);
            Some((number, place, at))
        };
        let places: Vec<(usize, Result<VirtOffset, Reason>, usize)> = requests
            .par_iter()
            .enumerate()
            .with_min_len(ADDRESSES_PER_TASK)
            .filter_map(resolve)
            .collect();
        let mut order = Vec::with_capacity(places.len());
        for (module, place, at) in places {
            match (place, answers.entries.get_mut(at)) {
                (Ok(virt), _) => order.push((module, virt, at)),
                (Err(reason), Some(entry)) => *entry = Answer::Missing(reason),
                (Err(_), None) => {}
            }
        }
        order.par_sort_unstable();
        let groups = groups(&order);
        let found = look_up(&self.batch.modules, &groups);
        for (group, result) in groups.iter().zip(found) {
            let entry = match result {
                Ok(frames) => {
                    let at = u32::try_from(answers.frames.len()).unwrap_or(NONE);
                    answers.frames.push(frames);
                    Answer::Frames(at)
                }
                Err(reason) => Answer::Missing(reason),
            };
            for (_, _, at) in order.get(group.requests.clone()).unwrap_or_default() {
                if let Some(slot) = answers.entries.get_mut(*at) {
                    *slot = entry;
                }
            }
        }
    }
}

/// What became of a module of the batch.
struct PlannedModule {
    index: Option<Arc<IndexView>>,
    is_new: bool,
    is_to_count: bool,
}

/// Opens a module, and returns its index, if it has one or is to be indexed now. `count` is how
/// many addresses it is asked for.
fn index_of(module: &SymbolModule, count: usize, options: &Options) -> Option<Arc<IndexView>> {
    // What fails here is answered per address.
    module.load().ok()?;
    // Each place is then asked of several, one of which may be an index.
    if module.has_sources() {
        return None;
    }
    if let Some(indexed) = module.indexed() {
        return Some(Arc::clone(indexed));
    }
    let flat = match options.tier {
        _ if !options.debug_info => false,
        Tier::Lazy => false,
        Tier::Flat => true,
        Tier::Auto => module.is_worth_indexing(count),
    };
    flat.then(|| module.index()).flatten().map(Arc::clone)
}
