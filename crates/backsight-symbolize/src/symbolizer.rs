//! The batch entry: requests in, one value each, in the caller's order.

mod additions;
mod memory;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use backsight_index::Frames;
use backsight_types::Reason;
use rayon::prelude::*;

use crate::answers::{Answer, Answers, Stack};
use crate::batch::{BatchModules, BatchPlan, NamePolicy};
use crate::error::{Cause, Error};
use crate::groups::ADDRESSES_PER_TASK;
use crate::module::SymbolModule;
use crate::module_list::ModuleList;
use crate::open_files::OpenFiles;
use crate::options::Options;
use crate::request::{ModuleId, Request};
use crate::threads::Threads;

/// With fewer requests, all of them in indexes, one thread is done before another is
/// awake.
const PARALLEL_MIN_REQUESTS: usize = 2048;

/// Turns places in modules into functions and lines.
///
/// What is read of a module is kept, so a second batch over it costs less. All
/// methods take `&self`, from as many threads as wanted.
#[derive(Debug)]
pub struct Symbolizer {
    options: Arc<Options>,
    modules: RwLock<ModuleList>,
    /// The options of modules with roots of their own.
    of_roots: Mutex<HashMap<Vec<PathBuf>, Weak<Options>>>,
    open_files: OpenFiles,
    threads: Threads,
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
            modules: RwLock::default(),
            of_roots: Mutex::default(),
            open_files: OpenFiles::new(options.budget.open_files),
            threads: Threads::new(options.threads),
            options: Arc::new(options),
            batches: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            largest_indexing: AtomicU64::new(0),
        }
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
        let module = self.module(module).ok_or(Cause::NotFound)?;
        self.threads.run(|| module.load())
    }

    /// Looks all requests up, in parallel, and returns one value for each in the
    /// order of the requests.
    ///
    /// Each value owns its texts, which outlive the symbolizer.
    /// [`symbolize_into`](Self::symbolize_into) borrows them, and is the faster.
    ///
    /// Runs in [`Options::threads`].
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
            let own = |entry| answers.answer(entry).map(|stack| stack.to_frames());
            let entries = &answers.entries;
            let owned: Vec<_> = if entries.len() <= ADDRESSES_PER_TASK {
                entries.iter().map(own).collect()
            } else {
                let entries = entries.par_iter().with_min_len(ADDRESSES_PER_TASK);
                self.threads.run(|| entries.map(own).collect())
            };
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
        let at_once = match modules.clone().nth(1) {
            Some(_) => self.threads.count(),
            None => 1,
        };
        loop {
            let few = modules.by_ref().take(at_once);
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
    ) -> Option<Vec<ModuleId>> {
        answers.clear();
        let modules = BatchModules::new(&self.modules(), requests);
        // One thread is done before another is awake.
        let is_small = requests.len() < PARALLEL_MIN_REQUESTS && modules.are_indexed();
        let work = |answers: &mut Answers| self.work_on(modules, requests, answers, names);
        let plan = match is_small {
            true => work(answers),
            false => self.threads.run(|| work(answers)),
        };
        let damaged = plan.damaged(&answers.indexed);
        if !damaged.is_empty() {
            return Some(damaged);
        }
        self.settle(plan);
        None
    }

    /// Opens the modules of a batch, and answers its requests.
    fn work_on(
        &self,
        modules: BatchModules,
        requests: &[Request],
        answers: &mut Answers,
        names: NamePolicy,
    ) -> BatchPlan {
        let batch = self.batches.fetch_add(1, Ordering::Relaxed);
        let plan = BatchPlan::new(modules, requests, batch, &self.options, answers);
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
        if plan.walks_units && plan.damaged(indexed).is_empty() {
            plan.walk_units(requests, answers);
        }
        plan
    }

    /// Does other work in the threads that large batches are spread over: work that uses rayon
    /// starts no other pool then.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.run(work)
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    pub(crate) fn module(&self, module: ModuleId) -> Option<Arc<SymbolModule>> {
        self.modules().get(module).cloned()
    }

    pub(crate) fn modules(&self) -> RwLockReadGuard<'_, ModuleList> {
        self.modules.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn modules_mut(&self) -> RwLockWriteGuard<'_, ModuleList> {
        self.modules.write().unwrap_or_else(PoisonError::into_inner)
    }
}
