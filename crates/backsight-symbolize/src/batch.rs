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
use crate::options::Options;
use crate::options::Tier;
use crate::request::Request;

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

/// How each module of a batch is looked up.
pub(crate) struct BatchPlan<'m> {
    modules: &'m [Arc<SymbolModule>],
    /// For each module the number of its index among those of the answers, or
    /// [`NONE`] when it is looked up unit by unit.
    numbers: Vec<u32>,
    /// Whether any module of the batch is.
    pub(crate) walks_units: bool,
    /// Whether any module of the batch was not indexed before, and so had files or
    /// tables read.
    pub(crate) reads: bool,
    /// The modules of which an index was built, or read.
    pub(crate) newly_indexed: Vec<usize>,
    /// What indexing the largest of them may have taken for a while.
    pub(crate) indexing_bytes: u64,
}

impl<'m> BatchPlan<'m> {
    /// Opens the modules of the batch, side by side, and indexes those of which
    /// enough was asked.
    pub(crate) fn new(
        modules: &'m [Arc<SymbolModule>],
        requests: &[Request],
        batch: u64,
        options: &Options,
        answers: &mut Answers,
    ) -> Self {
        let mut numbers = vec![NONE; modules.len()];
        // The modules of the batch in the order in which they come, and how many
        // addresses each is asked for; until they are open, `numbers` are places in here.
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        for request in requests {
            let Some(number) = numbers.get_mut(request.module.0) else {
                continue;
            };
            let place = usize::try_from(*number).ok();
            match place.and_then(|at| wanted.get_mut(at)) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => {
                    *number = u32::try_from(wanted.len()).unwrap_or(NONE);
                    wanted.push((request.module.0, 1));
                }
            }
        }
        let is_indexed = |at: usize| {
            modules
                .get(at)
                .is_some_and(|module| module.indexed().is_some())
        };
        let unindexed: Vec<usize> = wanted
            .iter()
            .map(|(at, _)| *at)
            .filter(|at| !is_indexed(*at))
            .collect();
        if options.tier == Tier::Auto {
            count_distinct(&mut wanted, &numbers, requests, is_indexed);
        }
        let indexed = |(at, count): &(usize, usize)| {
            let module = modules.get(*at)?;
            module.note_use(batch);
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
                Tier::Lazy => false,
                Tier::Flat => true,
                Tier::Auto => module.is_worth_indexing(*count),
            };
            flat.then(|| module.index()).flatten().map(Arc::clone)
        };
        let found: Vec<Option<Arc<IndexView>>> = match wanted.as_slice() {
            [one] => vec![indexed(one)],
            many => many.par_iter().with_max_len(1).map(indexed).collect(),
        };
        let mut walks_units = false;
        for ((at, _), indexed) in wanted.iter().zip(found) {
            walks_units |= indexed.is_none();
            let number = indexed.and_then(|indexed| {
                let number = u32::try_from(answers.indexed.len()).ok()?;
                answers.indexed.push(indexed);
                Some(number)
            });
            if let Some(slot) = numbers.get_mut(*at) {
                *slot = number.unwrap_or(NONE);
            }
        }
        let newly_indexed: Vec<usize> = unindexed
            .iter()
            .copied()
            .filter(|at| is_indexed(*at))
            .collect();
        Self {
            modules,
            numbers,
            walks_units,
            reads: !unindexed.is_empty(),
            indexing_bytes: newly_indexed
                .iter()
                .filter_map(|at| Some(modules.get(*at)?.indexing_bytes()))
                .max()
                .unwrap_or(0),
            newly_indexed,
        }
    }

    /// Returns the index that a request is looked up in, with its number, and where.
    #[inline]
    fn locate<'i>(
        &self,
        request: &Request,
        indexes: &'i [Arc<IndexView>],
    ) -> Result<(u32, &'i IndexView, VirtOffset), Reason> {
        let at = request.module.0;
        let (Some(module), Some(number)) = (self.modules.get(at), self.numbers.get(at)) else {
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
    pub(crate) fn damaged(&self, indexes: &[Arc<IndexView>]) -> Vec<usize> {
        if !indexes.iter().any(|indexed| indexed.found_damage()) {
            return Vec::new();
        }
        let modules = self.numbers.iter().enumerate().filter(|(_, number)| {
            let at = usize::try_from(**number).ok();
            at.and_then(|at| indexes.get(at))
                .is_some_and(|indexed| indexed.found_damage())
        });
        modules.map(|(module, _)| module).collect()
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
        let is_indexed = |request: &Request| {
            let number = self.numbers.get(request.module.0);
            number.is_none_or(|number| *number != NONE)
        };
        let resolve = |(at, request): (usize, &Request)| {
            if is_indexed(request) {
                return None;
            }
            let module = self.modules.get(request.module.0)?;
            let place = module.resolve(request.place, request.lookup);
            Some((request.module.0, place, at))
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
        let found = look_up(self.modules, &groups);
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

/// Counts the different addresses of each module that has no index, where requests were
/// counted: only they cost something. `numbers` are places in `wanted`.
fn count_distinct(
    wanted: &mut [(usize, usize)],
    numbers: &[u32],
    requests: &[Request],
    is_indexed: impl Fn(usize) -> bool,
) {
    let counted = |(at, count): &(usize, usize)| {
        (*count > ADDRESSES_PER_TASK && !is_indexed(*at)).then(|| DistinctEstimate::of(*count))
    };
    let mut counts: Vec<Option<DistinctEstimate>> = wanted.iter().map(counted).collect();
    if counts.iter().all(Option::is_none) {
        return;
    }
    for request in requests {
        let number = numbers.get(request.module.0);
        let place = number.and_then(|number| usize::try_from(*number).ok());
        if let Some(Some(distinct)) = place.and_then(|at| counts.get_mut(at)) {
            distinct.insert(request);
        }
    }
    for ((_, count), distinct) in wanted.iter_mut().zip(&counts) {
        *count = distinct.as_ref().map_or(*count, DistinctEstimate::count);
    }
}
