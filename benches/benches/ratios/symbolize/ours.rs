//! All calls to backsight in this family.

use std::cell::RefCell;
use std::path::Path;

use backsight_symbolize::{
    Answers, BuiltIndex, Frame, Frames, ModuleId, ModuleInput, Options, Place, Request,
    SymbolIndex, Symbolizer,
};
use backsight_types::{Lookup, Reason, VirtOffset};
use rayon::ThreadPoolBuilder;
use testkit::differential::Level;

use super::consumed::Consumed;
use super::workload::Subject;

/// A symbolizer with one module.
#[derive(Debug)]
pub(crate) struct Ours {
    symbolizer: Symbolizer,
    module: ModuleId,
    /// Reused for each batch, as an agent would do.
    answers: RefCell<Answers>,
}

impl Ours {
    /// Adds the file without reading it.
    pub(crate) fn open(subject: &Subject) -> Self {
        Self::with(options(subject), subject)
    }

    fn with(options: Options, subject: &Subject) -> Self {
        let symbolizer = Symbolizer::new(options);
        let source = ModuleInput::open(&subject.executable).expect("a workload's executable");
        let module = symbolizer.add(source, None, None);
        Self::new(symbolizer, module)
    }

    fn new(symbolizer: Symbolizer, module: ModuleId) -> Self {
        Self {
            symbolizer,
            module,
            answers: RefCell::default(),
        }
    }

    /// Looks up the requests made by [`requests`](Self::requests).
    pub(crate) fn run(&self, requests: &[Request]) -> Consumed {
        let mut answers = self.answers.borrow_mut();
        self.symbolizer.symbolize_into(requests, &mut answers);
        Consumed::of(&answers)
    }

    /// Opens the file and looks up all addresses.
    pub(crate) fn cold(subject: &Subject, addrs: &[u64]) -> Consumed {
        let ours = Self::open(subject);
        ours.run(&ours.requests(addrs))
    }

    pub(crate) fn requests(&self, addrs: &[u64]) -> Vec<Request> {
        let request =
            |addr: &u64| Request::new(self.module, Place::Virt(VirtOffset(*addr)), Lookup::Exact);
        addrs.iter().map(request).collect()
    }
}

/// Builds the index of a module.
pub(crate) fn index(subject: &Subject) -> SymbolIndex {
    let source = ModuleInput::open(&subject.executable).expect("a workload's executable");
    let built = BuiltIndex::of(source, None, &options(subject));
    built.expect("it can be indexed").index
}

/// Opens an index file and looks up an address.
pub(crate) fn indexed(file: &Path, addr: u64) -> Consumed {
    let symbolizer = Symbolizer::new(Options::default());
    let index = SymbolIndex::open(file, &Options::default()).expect("written just now");
    let module = symbolizer.add_index(index, None);
    let ours = Ours::new(symbolizer, module);
    ours.run(&ours.requests(&[addr]))
}

/// Looks up the addresses in `modules` modules in turn, each of which is the subject's
/// executable, with `budget` bytes for cached tables.
pub(crate) fn many(subject: &Subject, modules: usize, budget: u64, addrs: &[u64]) {
    let mut options = options(subject);
    options.budget.kept_bytes = budget;
    let symbolizer = Symbolizer::new(options);
    for _ in 0..modules {
        let source = ModuleInput::open(&subject.executable).expect("a workload's executable");
        let module = symbolizer.add(source, None, None);
        let request =
            |addr: &u64| Request::new(module, Place::Virt(VirtOffset(*addr)), Lookup::Exact);
        let requests: Vec<Request> = addrs.iter().map(request).collect();
        let known = symbolizer.symbolize(&requests).into_iter().flatten();
        assert!(known.count() > addrs.len() / 2, "most are known");
    }
}

/// Returns all levels at each address, with raw names.
pub(crate) fn levels(subject: &Subject, addrs: &[u64]) -> Vec<Vec<Level>> {
    let raw = options(subject).with_demangle(false);
    let ours = Ours::with(raw, subject);
    let answers = ours.symbolizer.symbolize(&ours.requests(addrs));
    let level = |frame: &Frame| Level {
        name: frame.function.as_deref().map(String::from),
        file: frame.file.as_deref().map(String::from),
        line: frame.line.unwrap_or(0),
        column: frame.column.unwrap_or(0),
    };
    let levels = |answer: &Result<Frames, Reason>| {
        let frames = answer.iter().flatten();
        frames.map(level).collect()
    };
    answers.iter().map(levels).collect()
}

fn options(subject: &Subject) -> Options {
    Options::default()
        .with_debug_dirs((subject.debug_dir().map(Path::to_owned).into_iter()).collect())
}

/// Runs `work` on a thread that is its own thread pool, so that the thread's clock measures all
/// of our work.
pub(crate) fn on_one_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let alone = || {
        let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        let _pool = pool.build().expect("a new thread is in no pool");
        work()
    };
    std::thread::scope(|scope| scope.spawn(alone).join()).expect("no panic")
}
