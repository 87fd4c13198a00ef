//! The batch entry: requests in, one value each, in the caller's order.

use std::sync::{Arc, PoisonError, RwLock};

use backsight_types::{BuildId, Reason, Segments, VirtOffset};
use rayon::prelude::*;

use crate::module::Module;
use crate::{Error, Frames, ModuleId, Options, Request, Source};

/// Addresses that one thread takes at a time: enough to outweigh the handing
/// over, few enough to share a single large module among all threads.
const CHUNK: usize = 256;

/// Turns places in modules into functions and lines.
///
/// What is read of a module is kept, so a second batch over it costs less. All
/// methods take `&self`, from as many threads as wanted.
#[derive(Debug)]
pub struct Symbolizer {
    options: Arc<Options>,
    modules: RwLock<Vec<Arc<Module>>>,
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
        let module = Module::new(source, build_id, segments, Arc::clone(&self.options));
        let mut modules = self.modules.write().unwrap_or_else(PoisonError::into_inner);
        modules.push(Arc::new(module));
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
    /// Runs in rayon's current thread pool: call it inside
    /// `ThreadPool::install` to choose the number of threads.
    ///
    /// Reasons it answers with: [`Reason::NoSymbols`] for a place that no symbol
    /// and no debug information covers (and for an id of another symbolizer),
    /// [`Reason::NeedsProgramHeaders`], [`Reason::Limit`], and, for whole
    /// modules, [`Reason::Unreadable`] and [`Reason::IdentityUnproven`].
    #[must_use]
    pub fn symbolize(&self, requests: &[Request]) -> Vec<Result<Frames, Reason>> {
        let modules = self.modules();
        // File offsets need a module's program headers, and so its file: the
        // modules are opened side by side first.
        let mut wanted: Vec<usize> = requests.iter().map(|request| request.module.0).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.par_iter().for_each(|at| {
            // What fails here is answered per address.
            let _ = modules.get(*at).map(|module| module.load());
        });

        let places: Vec<Result<VirtOffset, Reason>> = requests
            .par_iter()
            .with_min_len(CHUNK)
            .map(|request| {
                let module = modules.get(request.module.0).ok_or(Reason::NoSymbols)?;
                module.resolve(request.place, request.lookup)
            })
            .collect();
        let mut order: Vec<(usize, VirtOffset, usize)> = (places.iter().zip(requests).enumerate())
            .filter_map(|(at, (place, request))| Some((request.module.0, place.ok()?, at)))
            .collect();
        order.par_sort_unstable();
        let groups = groups(&order);
        let found = look_up(&modules, &groups);

        let failed =
            |place: Result<VirtOffset, Reason>| Err(place.err().unwrap_or(Reason::NoSymbols));
        let mut answers: Vec<Result<Frames, Reason>> = places.into_iter().map(failed).collect();
        for (group, result) in groups.iter().zip(found) {
            for (_, _, at) in order.get(group.requests.clone()).unwrap_or_default() {
                if let Some(answer) = answers.get_mut(*at) {
                    answer.clone_from(&result);
                }
            }
        }
        answers
    }

    fn modules(&self) -> Vec<Arc<Module>> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        modules.clone()
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
