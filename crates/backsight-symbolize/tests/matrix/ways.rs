//! Every way of asking, and the batches that each is asked in.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use backsight_symbolize::{
    Answers, BuiltIndex, Cause, Error, Frames, IndexDir, ModuleId, ModuleInput, Options, Request,
    SymbolIndex, Symbolizer, Tier,
};
use backsight_types::Reason;
use rayon::ThreadPool;

use crate::common::at;
use crate::store::Store;

pub(crate) type Answer = Result<Frames, Reason>;

/// A batch has so many addresses.
pub(crate) const SIZES: [usize; 6] = [1, 2, 63, 64, 65, 1_000];

const THREADS: [usize; 2] = [1, 8];

/// In which order a batch has its addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Sorted,
    Reversed,
    Shuffled,
    /// Each address several times, among the others.
    Repeated,
}

const ORDERS: [Order; 4] = [
    Order::Sorted,
    Order::Reversed,
    Order::Shuffled,
    Order::Repeated,
];

/// Where the answers come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Tier(Tier),
    /// An index that was built and handed over, to one symbolizer that is asked again and
    /// again.
    Index,
    /// One that was written to a file, with demangled names, and opened.
    IndexFile,
    /// A directory of indexes where an earlier symbolizer kept the module's.
    IndexDir,
    /// Debug files that no directory has, and a fetcher brings.
    Fetched(Tier),
}

const WAYS: [Way; 8] = [
    Way::Tier(Tier::Lazy),
    Way::Tier(Tier::Auto),
    Way::Tier(Tier::Flat),
    Way::Index,
    Way::IndexFile,
    Way::IndexDir,
    Way::Fetched(Tier::Lazy),
    Way::Fetched(Tier::Flat),
];

/// One file, asked in all ways.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) options: Options,
    /// Where indexes may be kept.
    pub(crate) dir: &'a Path,
    /// For [`Way::Index`].
    pub(crate) indexed: OnceLock<Arc<(Symbolizer, ModuleId)>>,
}

impl Asked<'_> {
    fn input(&self) -> ModuleInput {
        ModuleInput::open(self.path).expect("a regular file")
    }

    fn options(&self, tier: Tier) -> Options {
        self.options.clone().with_tier(tier)
    }

    fn index_file(&self) -> std::path::PathBuf {
        self.dir.join("a.index")
    }

    fn kept(&self) -> Options {
        let index_dir = Some(IndexDir::new(self.dir.join("kept"), 1 << 30));
        self.options(Tier::Auto).with_index_dir(index_dir)
    }

    fn fetched(&self, tier: Tier) -> Options {
        let mut options = self.options(tier);
        for dir in std::mem::take(&mut options.debug_dirs) {
            options.fetchers.push(Arc::new(Store::of(&dir)));
        }
        options
    }

    /// Makes what the ways need that read what was written before. Returns whether there
    /// is an index of the whole: there is none without what is too large to be unpacked.
    pub(crate) fn prepare(&self) -> bool {
        let index = match BuiltIndex::of(self.input(), None, &self.options) {
            Ok(built) => Some(built.index),
            Err(error) if is_oversized(&error) => None,
            Err(other) => panic!("{}: {other}", self.name),
        };
        let has_index = index.is_some();
        if let Some(mut index) = index {
            index.verify().expect("a sound index");
            index.add_demangled(self.options.limits.name_bytes);
            index.write(&self.index_file()).expect("written");
        }
        let symbolizer = Symbolizer::new(self.kept().with_tier(Tier::Flat));
        let module = symbolizer.add(self.input(), None, None);
        drop(symbolizer.symbolize(&[at(module, 0)]));
        has_index
    }

    /// Returns a symbolizer, which nobody asked yet but for [`Way::Index`].
    fn symbolizer(&self, way: Way) -> Arc<(Symbolizer, ModuleId)> {
        let of_index = |index| {
            let symbolizer = Symbolizer::new(self.options(Tier::Auto));
            let module = symbolizer.add_index(index, None);
            Arc::new((symbolizer, module))
        };
        let of_options = |options| {
            let symbolizer = Symbolizer::new(options);
            let module = symbolizer.add(self.input(), None, None);
            Arc::new((symbolizer, module))
        };
        match way {
            Way::Tier(tier) => of_options(self.options(tier)),
            Way::Index => {
                let build = || BuiltIndex::of(self.input(), None, &self.options);
                let indexed = self
                    .indexed
                    .get_or_init(|| of_index(build().expect("an index").index));
                Arc::clone(indexed)
            }
            Way::IndexFile => {
                let index = SymbolIndex::open(&self.index_file(), &self.options);
                of_index(index.expect("an index file"))
            }
            Way::IndexDir => of_options(self.kept()),
            Way::Fetched(tier) => of_options(self.fetched(tier)),
        }
    }

    /// Returns the answers of lookups unit by unit, each by itself.
    pub(crate) fn one_by_one(&self, addresses: &[u64]) -> Vec<Answer> {
        let lazy = self.symbolizer(Way::Tier(Tier::Lazy));
        let ask = |addr: &u64| lazy.0.symbolize(&[at(lazy.1, *addr)]).remove(0);
        addresses.iter().map(ask).collect()
    }

    /// Returns whether each tier, and an index, says that debug information was too large.
    pub(crate) fn says_that_it_is_too_large(&self, addresses: &[u64]) -> bool {
        let tiers = [Tier::Lazy, Tier::Flat].map(Way::Tier);
        let says = |way: Way| {
            let symbolizer = self.symbolizer(way);
            let all: Vec<Request> = addresses
                .iter()
                .map(|addr| at(symbolizer.1, *addr))
                .collect();
            drop(symbolizer.0.symbolize(&all));
            !symbolizer.0.oversized(symbolizer.1).is_empty()
        };
        let index = match BuiltIndex::of(self.input(), None, &self.options) {
            Ok(built) => !built.oversized.is_empty(),
            Err(error) => is_oversized(&error),
        };
        tiers.into_iter().all(says) && index
    }

    /// Asks for these addresses in every way; returns how many batches were asked, and
    /// the first few differences.
    pub(crate) fn compare(
        &self,
        addresses: &[u64],
        want: &[Answer],
        has_index: bool,
    ) -> (usize, Vec<String>) {
        let needs_index = |way: &Way| matches!(way, Way::Index | Way::IndexFile);
        let ways = WAYS.iter().filter(|way| has_index || !needs_index(way));
        let mut found = (0, Vec::new());
        let mut random = 0x9e37_79b9_7f4a_7c15;
        for (number, size) in SIZES.into_iter().enumerate() {
            for order in ORDERS {
                for way in ways.clone().copied() {
                    for threads in THREADS {
                        // Each at a place of its own: the first lookups of many
                        // symbolizers are to differ.
                        let places = places(addresses.len(), size, order, &mut random);
                        let words = format!("{}: {size} {order:?} {way:?} {threads}", self.name);
                        let work = || self.batch(addresses, &places, want, way, number);
                        found.0 += 3;
                        let differences = pool(threads).install(work);
                        let said = differences
                            .into_iter()
                            .map(|difference| format!("{words}: {difference}"));
                        found.1.extend(said.take(2));
                    }
                }
            }
        }
        found
    }

    /// Asks by each of the three calls, the one that comes first in turn.
    fn batch(
        &self,
        addresses: &[u64],
        places: &[usize],
        want: &[Answer],
        way: Way,
        first: usize,
    ) -> Vec<String> {
        let symbolizer = self.symbolizer(way);
        let asked = places
            .iter()
            .map(|place| at(symbolizer.1, addresses[*place]));
        let requests: Vec<Request> = asked.collect();
        let mut differences = Vec::new();
        for call in 0..3 {
            let answers = ask(&symbolizer.0, &requests, (first + call) % 3);
            assert_eq!(answers.len(), requests.len(), "one value per request");
            for (place, answer) in places.iter().zip(&answers) {
                if answer != &want[*place] {
                    differences.push(format!(
                        "call {call}, {:#x}: {answer:?} for {:?}",
                        addresses[*place], want[*place]
                    ));
                }
            }
        }
        differences
    }
}

/// `symbolize`, `symbolize_into` or `symbolize_each`.
fn ask(symbolizer: &Symbolizer, requests: &[Request], call: usize) -> Vec<Answer> {
    let mut answers = Answers::default();
    match call {
        0 => symbolizer.symbolize(requests),
        1 => {
            symbolizer.symbolize_into(requests, &mut answers);
            let stacks = answers.iter();
            stacks
                .map(|stack| stack.map(|stack| stack.to_frames()))
                .collect()
        }
        _ => {
            let mut found = vec![Err(Reason::Unreadable); requests.len()];
            symbolizer.symbolize_each(requests, &mut answers, |place, stack| {
                found[place] = stack.map(|stack| stack.to_frames());
            });
            found
        }
    }
}

/// Returns so many places of `count`, in this order.
fn places(count: usize, size: usize, order: Order, random: &mut u64) -> Vec<usize> {
    let mut next = |below: usize| {
        // Knuth's MMIX generator: enough to be in no order.
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*random >> 33).expect("31 bits") % below
    };
    let first = next(count);
    let mut places: Vec<usize> = (first..first + size).map(|place| place % count).collect();
    match order {
        Order::Sorted => places.sort_unstable(),
        Order::Reversed => places.sort_unstable_by_key(|place| std::cmp::Reverse(*place)),
        Order::Shuffled => (1..size).for_each(|at| places.swap(at, next(at + 1))),
        Order::Repeated => {
            let few = size.div_ceil(7);
            places = (0..size).map(|_| places[next(few)]).collect();
        }
    }
    places
}

fn pool(threads: usize) -> &'static ThreadPool {
    static POOLS: [OnceLock<ThreadPool>; THREADS.len()] = [OnceLock::new(), OnceLock::new()];
    let at = THREADS.iter().position(|known| *known == threads);
    POOLS[at.expect("a known number")].get_or_init(|| {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().expect("threads")
    })
}

fn is_oversized(error: &Error) -> bool {
    matches!(error.cause(), Cause::Oversized { .. })
}
