//! The batch entry: requests in, one value each, in the caller's order.

use std::sync::{Arc, PoisonError, RwLock};

use backsight_types::{BuildId, Reason, Segments, VirtOffset};
use rayon::prelude::*;

use crate::answers::{Answers, Entry, Stack};
use crate::index::NONE;
use crate::indexed::Indexed;
use crate::module::Module;
use crate::options::Tier;
use crate::{Error, Frames, ModuleId, Options, Request, Source, SymbolIndex};

/// Addresses that one thread takes at a time: enough to outweigh the handing
/// over, few enough to share a single large module among all threads.
const CHUNK: usize = 256;

/// Indexed requests below this number are answered before another thread is
/// awake.
const PARALLEL: usize = 2048;

/// Turns places in modules into functions and lines.
///
/// What is read of a module is kept, so a second batch over it costs less. All
/// methods take `&self`, from as many threads as wanted.
#[derive(Debug)]
pub struct Symbolizer {
    options: Arc<Options>,
    modules: RwLock<Arc<Vec<Arc<Module>>>>,
}

// Not to compile if a field ever forbids sharing it.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Symbolizer>();
};

/// One distinct address of a batch, and the requests that ask for it.
struct Group {
    module: usize,
    virt: VirtOffset,
    /// In the sorted list of requests.
    requests: std::ops::Range<usize>,
}

impl Symbolizer {
    /// Returns a symbolizer without modules.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options: Arc::new(options),
            modules: RwLock::default(),
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
        source: Source,
        build_id: Option<BuildId>,
        segments: Option<Segments>,
    ) -> ModuleId {
        self.push(Module::new(
            source,
            build_id,
            segments,
            Arc::clone(&self.options),
        ))
    }

    /// Takes a module of which an index is at hand, and nothing else is needed.
    ///
    /// `segments` are the executable's program headers: an index has none, and
    /// file offsets need them.
    pub fn add_index(&self, index: SymbolIndex, segments: Option<Segments>) -> ModuleId {
        let options = Arc::clone(&self.options);
        self.push(Module::of_index(index.index, segments, options))
    }

    fn push(&self, module: Module) -> ModuleId {
        let mut modules = self.modules.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut modules).push(Arc::new(module));
        ModuleId(modules.len().saturating_sub(1))
    }

    /// Reads the module's files now, and says why they cannot be used.
    ///
    /// Nobody has to call this: a module that cannot be used answers each of its
    /// requests with [`Error::reason`].
    ///
    /// # Errors
    /// Every variant of [`Error`]; [`Error::NotFound`] also for an id of another
    /// symbolizer.
    pub fn load(&self, module: ModuleId) -> Result<(), Error> {
        let modules = self.modules();
        modules.get(module.0).ok_or(Error::NotFound)?.load()
    }

    /// Looks all requests up, in parallel, and returns one value for each in the
    /// order of the requests.
    ///
    /// Each value has texts of its own, which outlive the symbolizer.
    /// [`symbolize_into`](Self::symbolize_into) borrows them, and is the faster.
    ///
    /// Runs in rayon's current thread pool: call it inside
    /// `ThreadPool::install` to choose the number of threads.
    ///
    /// Reasons it answers with: [`Reason::NoSymbols`] for a place that no symbol
    /// and no debug information covers (and for an id of another symbolizer),
    /// [`Reason::NeedsProgramHeaders`], [`Reason::Limit`], and, for whole
    /// modules, [`Reason::Unreadable`] and [`Reason::IdentityUnproven`].
    #[must_use]
    pub fn symbolize(&self, requests: &[Request]) -> Vec<Result<Frames, Reason>> {
        let mut answers = Answers::default();
        self.symbolize_into(requests, &mut answers);
        let own = |stack: Result<Stack<'_>, Reason>| stack.map(|stack| stack.to_frames());
        let entries = answers.entries.par_iter().with_min_len(CHUNK);
        entries.map(|entry| own(answers.answer(entry))).collect()
    }

    /// Looks all requests up, in parallel, and puts one answer for each into
    /// `answers`, in the order of the requests, instead of what stood there.
    ///
    /// Once the modules are indexed ([`Options::tier`]), and with the same
    /// `answers` again, a batch allocates only for names it meets first.
    pub fn symbolize_into(&self, requests: &[Request], answers: &mut Answers) {
        answers.clear();
        let modules = self.modules();
        let plan = Plan::new(&modules, requests, &self.options, answers);
        let missing = Entry::Missing(Reason::NoSymbols);
        answers.entries.resize(requests.len(), missing);
        let find = |request: &Request| plan.find(request, &answers.indexed);
        if requests.len() < PARALLEL {
            for (entry, request) in answers.entries.iter_mut().zip(requests) {
                *entry = find(request);
            }
        } else {
            let entries = answers.entries.par_iter_mut().with_min_len(CHUNK);
            entries
                .zip(requests)
                .for_each(|(entry, request)| *entry = find(request));
        }
        if plan.walks_units {
            plan.walk_units(requests, answers);
        }
    }

    fn modules(&self) -> Arc<Vec<Arc<Module>>> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&modules)
    }
}

/// How a batch goes about each of its modules.
struct Plan<'m> {
    modules: &'m [Arc<Module>],
    /// For each module the number of its index among those of the answers, or
    /// [`NONE`] when it is looked up unit by unit.
    numbers: Vec<u32>,
    /// Whether any module of the batch is.
    walks_units: bool,
}

impl<'m> Plan<'m> {
    /// Opens the modules of the batch, side by side, and indexes those of which
    /// enough was asked.
    fn new(
        modules: &'m [Arc<Module>],
        requests: &[Request],
        options: &Options,
        answers: &mut Answers,
    ) -> Self {
        let mut numbers = vec![NONE; modules.len()];
        // The modules of the batch in the order in which they come, and how many
        // requests each has; until they are open, `numbers` are places in here.
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
        let indexed = |(at, count): &(usize, usize)| {
            let module = modules.get(*at)?;
            if let Some(indexed) = module.indexed() {
                return Some(Arc::clone(indexed));
            }
            // What fails here is answered per address.
            module.load().ok()?;
            let flat = match options.tier {
                Tier::Lazy => false,
                Tier::Flat => true,
                Tier::Auto => module.is_worth_indexing(*count),
            };
            flat.then(|| module.index()).flatten().map(Arc::clone)
        };
        let found: Vec<Option<Arc<Indexed>>> = match wanted.as_slice() {
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
        Self {
            modules,
            numbers,
            walks_units,
        }
    }

    /// Answers a request from its module's index, if it has one.
    #[inline]
    fn find(&self, request: &Request, indexes: &[Arc<Indexed>]) -> Entry {
        let missing = Entry::Missing(Reason::NoSymbols);
        let at = request.module.0;
        let (Some(module), Some(number)) = (self.modules.get(at), self.numbers.get(at)) else {
            return missing;
        };
        let indexed = usize::try_from(*number).ok().and_then(|at| indexes.get(at));
        let Some(indexed) = indexed else {
            return missing;
        };
        match module.resolve(request.place, request.lookup) {
            Err(reason) => Entry::Missing(reason),
            Ok(virt) => match indexed.find(virt.0) {
                Some(hit) => Entry::Indexed(*number, hit),
                None if indexed.index().meta().limited => Entry::Missing(Reason::Limit),
                None => missing,
            },
        }
    }

    /// Answers the requests whose modules have no index, each distinct address
    /// once.
    fn walk_units(&self, requests: &[Request], answers: &mut Answers) {
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
            .with_min_len(CHUNK)
            .filter_map(resolve)
            .collect();
        let mut order = Vec::with_capacity(places.len());
        for (module, place, at) in places {
            match (place, answers.entries.get_mut(at)) {
                (Ok(virt), _) => order.push((module, virt, at)),
                (Err(reason), Some(entry)) => *entry = Entry::Missing(reason),
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
                    Entry::Frames(at)
                }
                Err(reason) => Entry::Missing(reason),
            };
            for (_, _, at) in order.get(group.requests.clone()).unwrap_or_default() {
                if let Some(slot) = answers.entries.get_mut(*at) {
                    *slot = entry;
                }
            }
        }
    }
}

/// Returns the distinct addresses of a sorted list.
fn groups(order: &[(usize, VirtOffset, usize)]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start: usize = 0;
    for same in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let end = start.saturating_add(same.len());
        if let Some((module, virt, _)) = same.first() {
            groups.push(Group {
                module: *module,
                virt: *virt,
                requests: start..end,
            });
        }
        start = end;
    }
    groups
}

/// Looks the groups up, the modules with most addresses first, so that no thread
/// is left alone with a large one at the end.
fn look_up(modules: &[Arc<Module>], groups: &[Group]) -> Vec<Result<Frames, Reason>> {
    let mut by_module: Vec<(usize, &[Group])> = Vec::new();
    let mut start: usize = 0;
    for same in groups.chunk_by(|a, b| a.module == b.module) {
        by_module.push((start, same));
        start = start.saturating_add(same.len());
    }
    by_module.sort_by_key(|(_, groups)| std::cmp::Reverse(groups.len()));
    let chunks: Vec<(usize, &[Group])> = by_module
        .into_iter()
        .flat_map(|(start, groups)| {
            let starts = (start..).step_by(CHUNK);
            starts.zip(groups.chunks(CHUNK))
        })
        .collect();
    let find = |group: &Group| {
        let module = modules.get(group.module).ok_or(Reason::NoSymbols)?;
        module.find(group.virt)
    };
    let mut found: Vec<(usize, Vec<Result<Frames, Reason>>)> = chunks
        .into_par_iter()
        .with_max_len(1)
        .map(|(start, groups)| (start, groups.iter().map(find).collect()))
        .collect();
    found.sort_unstable_by_key(|(start, _)| *start);
    found.into_iter().flat_map(|(_, results)| results).collect()
}
