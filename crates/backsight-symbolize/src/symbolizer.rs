//! The batch entry: requests in, one value each, in the caller's order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use backsight_index::{Frames, SymbolIndex};
use backsight_types::{BuildId, Reason, Segments};
use rayon::prelude::*;

use crate::answers::{Answer, Answers, Stack};
use crate::batch::{BatchPlan, NamePolicy};
use crate::budget::Usage;
use crate::error::{Cause, Error};
use crate::files::LoadedFiles;
use crate::groups::ADDRESSES_PER_TASK;
use crate::module::SymbolModule;
use crate::options::Options;
use crate::request::{ModuleId, ModuleInput, Request};
use crate::source::{SymbolSource, Turn};
use crate::trace::event;

/// With fewer requests, all of them in indexes, one thread is done before another is
/// awake.
const PARALLEL_MIN_REQUESTS: usize = 2048;

/// Batches between two sums of the memory in use, when all modules are indexed. Only names
/// grow then, and a sum costs as much as a small batch.
const BATCHES_PER_RECOUNT: u64 = 64;

/// Turns places in modules into functions and lines.
///
/// What is read of a module is kept, so a second batch over it costs less. All
/// methods take `&self`, from as many threads as wanted.
#[derive(Debug)]
pub struct Symbolizer {
    options: Arc<Options>,
    modules: RwLock<Arc<Vec<Arc<SymbolModule>>>>,
    /// Batches so far.
    batches: AtomicU64,
    /// Modules that were evicted so far.
    evicted: AtomicU64,
    /// What indexing the largest module so far may have taken for a while.
    largest_indexing: AtomicU64,
}

// Not to compile if a field ever forbids sharing it.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Symbolizer>();
};

impl Symbolizer {
    /// Returns a symbolizer without modules.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options: Arc::new(options),
            modules: RwLock::default(),
            batches: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            largest_indexing: AtomicU64::new(0),
        }
    }

    /// Takes a module. Its bytes are read at its first lookup.
    ///
    /// `build_id` is the build ID it must have: other files are refused, and it
    /// leads to the debug file. Without one, the file's own leads there.
    ///
    /// `segments` are the executable's program headers where the caller knows
    /// them. File offsets need them when the executable itself is not at hand.
    pub fn add(
        &self,
        input: ModuleInput,
        build_id: Option<BuildId>,
        segments: Option<Segments>,
    ) -> ModuleId {
        let options = Arc::clone(&self.options);
        let may_stay_open = self.modules().len() < options.budget.open_files;
        self.push(SymbolModule::new(
            input,
            build_id,
            segments,
            may_stay_open,
            options,
        ))
    }

    /// Takes a module of which an index is at hand, and nothing else is needed.
    ///
    /// `segments` are the executable's program headers: an index has none, and
    /// file offsets need them.
    pub fn add_index(&self, index: SymbolIndex, segments: Option<Segments>) -> ModuleId {
        let options = Arc::clone(&self.options);
        self.push(SymbolModule::of_index(index, segments, options))
    }

    /// Has one more source asked about a module, for all that is asked from now on. Does
    /// nothing for an id of another symbolizer.
    ///
    /// A module with such sources is asked place by place, though its files may have been
    /// indexed.
    pub fn add_source(&self, module: ModuleId, turn: Turn, source: Arc<dyn SymbolSource>) {
        if let Some(module) = self.module(module) {
            module.add_source(turn, source);
        }
    }

    fn push(&self, module: SymbolModule) -> ModuleId {
        let mut modules = self.modules_mut();
        Arc::make_mut(&mut modules).push(Arc::new(module));
        ModuleId(modules.len().saturating_sub(1))
    }

    /// Reads the module's files now, and says why they cannot be used.
    ///
    /// Optional: without it, requests for a module that cannot be used are answered with
    /// [`Error::reason`].
    ///
    /// # Errors
    /// Every variant of [`Error`]; [`Cause::NotFound`] also for an id of another
    /// symbolizer.
    pub fn load(&self, module: ModuleId) -> Result<(), Error> {
        self.module(module).ok_or(Cause::NotFound)?.load()
    }

    /// Looks all requests up, in parallel, and returns one value for each in the
    /// order of the requests.
    ///
    /// Each value owns its texts, which outlive the symbolizer.
    /// [`symbolize_into`](Self::symbolize_into) borrows them, and is the faster.
    ///
    /// Runs in rayon's current thread pool: call it inside
    /// `ThreadPool::install` to choose the number of threads.
    ///
    /// Reasons it answers with: [`Reason::NoSymbols`] for a place that no symbol
    /// and no debug information covers (and for an id of another symbolizer),
    /// [`Reason::NeedsProgramHeaders`], [`Reason::Limit`], and, for whole
    /// modules, [`Reason::Unreadable`] and [`Reason::IdentityUnproven`].
    ///
    /// Modules are worked through a few at a time, as by
    /// [`symbolize_each`](Self::symbolize_each).
    #[must_use]
    pub fn symbolize(&self, requests: &[Request]) -> Vec<Result<Frames, Reason>> {
        let mut all = vec![Err(Reason::NoSymbols); requests.len()];
        let mut answers = Answers::default();
        let names = NamePolicy::Owned;
        self.for_module_chunks(requests, &mut answers, names, |places, answers| {
            let own = |stack: Result<Stack<'_>, Reason>| stack.map(|stack| stack.to_frames());
            let entries = answers.entries.par_iter().with_min_len(ADDRESSES_PER_TASK);
            let owned: Vec<_> = entries.map(|entry| own(answers.answer(entry))).collect();
            for (at, found) in places.iter().zip(owned) {
                if let Some(slot) = all.get_mut(*at) {
                    *slot = found;
                }
            }
        });
        all
    }

    /// Looks all requests up, in parallel, and gives each one's place and answer to
    /// `found`, module by module. `answers` is used again, as by
    /// [`symbolize_into`](Self::symbolize_into), and empty in the end.
    ///
    /// Modules are processed a few at a time, and what was read of them is evicted
    /// when the [`Budget`](crate::Budget) asks for it: a batch over hundreds takes
    /// no more memory than one over a few.
    pub fn symbolize_each(
        &self,
        requests: &[Request],
        answers: &mut Answers,
        mut found: impl FnMut(usize, Result<Stack<'_>, Reason>),
    ) {
        let names = NamePolicy::Borrowed;
        self.for_module_chunks(requests, answers, names, |places, answers| {
            for (at, answer) in places.iter().zip(answers.iter()) {
                found(*at, answer);
            }
        });
    }

    /// Calls `found` with the places of some requests and their answers, until all are
    /// answered.
    fn for_module_chunks(
        &self,
        requests: &[Request],
        answers: &mut Answers,
        names: NamePolicy,
        mut found: impl FnMut(&[usize], &Answers),
    ) {
        let mut order: Vec<(ModuleId, usize)> = requests
            .iter()
            .zip(0..)
            .map(|(request, at)| (request.module, at))
            .collect();
        order.sort_unstable();
        let mut modules = order.chunk_by(|a, b| a.0 == b.0);
        loop {
            let few = modules.by_ref().take(rayon::current_num_threads().max(1));
            let places: Vec<usize> = few.flatten().map(|(_, at)| *at).collect();
            if places.is_empty() {
                break;
            }
            let theirs = places.iter().filter_map(|at| requests.get(*at).copied());
            let theirs: Vec<Request> = theirs.collect();
            self.look_up(&theirs, answers, names);
            found(&places, answers);
            // What they point into may be what has to go.
            answers.clear();
        }
    }

    /// Looks all requests up, in parallel, and puts one answer for each into
    /// `answers`, in the order of the requests, instead of what stood there.
    ///
    /// Once the modules are indexed ([`Options::tier`]), and with the same
    /// `answers` again, a batch allocates only for names it meets first.
    pub fn symbolize_into(&self, requests: &[Request], answers: &mut Answers) {
        self.look_up(requests, answers, NamePolicy::Borrowed);
    }

    fn look_up(&self, requests: &[Request], answers: &mut Answers, names: NamePolicy) {
        // Each time round there is a damaged index less.
        while let Some(damaged) = self.try_to_look_up(requests, answers, names) {
            self.drop_damaged_indexes(&damaged);
        }
    }

    /// Returns the modules whose index turned out to be damaged: then nothing holds.
    fn try_to_look_up(
        &self,
        requests: &[Request],
        answers: &mut Answers,
        names: NamePolicy,
    ) -> Option<Vec<usize>> {
        answers.clear();
        let modules = self.modules();
        let batch = self.batches.fetch_add(1, Ordering::Relaxed);
        let plan = BatchPlan::new(&modules, requests, batch, &self.options, answers);
        let missing = Answer::Missing(Reason::NoSymbols);
        answers.entries.resize(requests.len(), missing);
        let Answers {
            entries, indexed, ..
        } = answers;
        if requests.len() < PARALLEL_MIN_REQUESTS {
            plan.find_all(requests, entries, indexed, names);
        } else {
            let entries = entries.par_chunks_mut(ADDRESSES_PER_TASK);
            let chunks = entries.zip(requests.par_chunks(ADDRESSES_PER_TASK));
            chunks.for_each(|(entries, requests)| {
                plan.find_all(requests, entries, indexed, names);
            });
        }
        let damaged = plan.damaged(&answers.indexed);
        if !damaged.is_empty() {
            return Some(damaged);
        }
        if plan.walks_units {
            plan.walk_units(requests, answers);
        }
        let (reads, new) = (plan.reads, plan.newly_indexed);
        let took = plan.indexing_bytes;
        drop(modules);
        self.largest_indexing.fetch_max(took, Ordering::Relaxed);
        self.drop_indexed_dwarf(&new);
        if reads || batch.is_multiple_of(BATCHES_PER_RECOUNT) {
            let kept = self.options.budget.kept_bytes;
            let free = self.largest_indexing.load(Ordering::Relaxed).min(kept / 2);
            // Of a heap in which indexes were built a third lies idle, between small texts
            // that stay.
            let room = kept.saturating_sub(free);
            self.evict(room.saturating_sub(room / 3));
        }
        None
    }

    /// Goes on without the indexes of these modules, which are damaged.
    pub(crate) fn drop_damaged_indexes(&self, modules: &[usize]) {
        let mut all = self.modules_mut();
        let shared = Arc::make_mut(&mut all);
        for at in modules {
            if let Some(slot) = shared.get_mut(*at)
                && let Some(anew) = slot.without_damaged_index()
            {
                *slot = Arc::new(anew);
            }
        }
    }

    /// Drops the DWARF of modules of which an index was just built.
    fn drop_indexed_dwarf(&self, modules: &[usize]) {
        if modules.is_empty() {
            return;
        }
        let mut useless = Vec::new();
        let mut all = self.modules_mut();
        let shared = Arc::make_mut(&mut all);
        for at in modules {
            if let Some(slot) = shared.get_mut(*at)
                && let Some(alone) = slot.without_dwarf()
            {
                useless.push(std::mem::replace(slot, Arc::new(alone)));
            }
        }
        drop(all);
        // Thousands of small tables: freed in the background. In a pool of one thread that
        // task might wait for long, so they are freed here.
        if rayon::current_num_threads() > 1 {
            rayon::spawn(move || drop(useless));
        }
    }

    /// Evicts the least recently used modules, until the others keep no more than this many
    /// bytes. This is done after each batch,
    /// as [`Budget::kept_bytes`](crate::Budget::kept_bytes) says.
    ///
    /// An evicted module is read again when it is needed. Answers stay valid: they keep the
    /// tables that they point into.
    pub fn evict(&self, down_to_bytes: u64) {
        let modules = self.modules();
        let kept = modules
            .iter()
            .map(|module| module.read_files().map_or(0, LoadedFiles::kept_bytes));
        let mut kept: Vec<(u64, usize, u64)> = (modules.iter().zip(kept).zip(0..))
            .map(|((module, kept), at)| (module.used(), at, kept))
            .filter(|(_, _, kept)| *kept > 0)
            .collect();
        let mut total = kept
            .iter()
            .map(|(_, _, kept)| *kept)
            .fold(0, u64::saturating_add);
        if total <= down_to_bytes {
            return;
        }
        drop(modules);
        kept.sort_unstable();
        let mut modules = self.modules_mut();
        let modules = Arc::make_mut(&mut modules);
        for (_, at, kept) in kept {
            if total <= down_to_bytes {
                break;
            }
            let Some(slot) = modules.get_mut(at) else {
                continue;
            };
            if let Some(anew) = slot.forget() {
                *slot = Arc::new(anew);
                total = total.saturating_sub(kept);
                event!("evicted", bytes = kept, left = total);
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns what is held at the moment.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let modules = self.modules();
        let mut usage = Usage {
            modules: modules.len(),
            evicted: self.evicted.load(Ordering::Relaxed),
            ..Usage::default()
        };
        for files in modules.iter().filter_map(|module| module.read_files()) {
            usage.loaded = usage.loaded.saturating_add(1);
            usage.indexed = usage
                .indexed
                .saturating_add(files.indexed().is_some().into());
            usage.kept_bytes = usage.kept_bytes.saturating_add(files.kept_bytes());
        }
        let not_written = modules
            .iter()
            .filter(|module| module.not_written().is_some());
        usage.not_written = not_written.count();
        usage
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn module(&self, module: ModuleId) -> Option<Arc<SymbolModule>> {
        self.modules().get(module.0).cloned()
    }

    pub(crate) fn modules(&self) -> Arc<Vec<Arc<SymbolModule>>> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&modules)
    }

    fn modules_mut(&self) -> RwLockWriteGuard<'_, Arc<Vec<Arc<SymbolModule>>>> {
        self.modules.write().unwrap_or_else(PoisonError::into_inner)
    }
}
