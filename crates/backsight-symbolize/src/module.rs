//! One module, as it was given and as it is known so far.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use backsight_index::engine::wide;
use backsight_index::{Frames, IndexError, IndexView, SymbolIndex};
use backsight_types::{BuildId, FileOffset, Lookup, Reason, Segments, VirtOffset};

use crate::error::Error;
use crate::files::{Files, Origin};
use crate::options::Options;
use crate::oversized::Oversized;
use crate::request::{Place, Source};
use crate::shortfall::Shortfall;
use crate::sought::{Sought, SoughtLog};
use crate::source::{Sources, SymbolSource, Turn};

/// Fewer addresses than this never pay for an index.
const FEW: usize = 64;

/// An index pays once an address was asked for each so many bytes of
/// `.debug_info`. docs/decisions/0009 has the measurement.
const WORTH: usize = 4096;

/// Bytes that the tables of an index take at most while it is built, the index included,
/// for each byte of `.debug_info`: 0.8 were measured of a kernel, 1.0 of a C++ program,
/// 2.4 and 2.6 of two Rust ones. The debug sections themselves come on top.
const TRANSIENT: u64 = 3;

/// A module as it was given, and what was read of it so far.
#[derive(Debug)]
pub(crate) struct Module {
    /// Taken when the files are read; put back where they can be read again.
    origin: Mutex<Option<Origin>>,
    /// Whether a file that was read may stay open, to be read again.
    may_stay_open: bool,
    expected: Option<BuildId>,
    given_segments: Option<Segments>,
    options: Arc<Options>,
    files: OnceLock<Result<Files, Error>>,
    /// Addresses that were asked for so far while there was no index.
    asked: AtomicUsize,
    /// The number of the batch that asked last.
    used: AtomicU64,
    /// Why an index was not written to the directory, though it should have been.
    not_written: Arc<OnceLock<IndexError>>,
    /// What was looked for.
    log: Arc<SoughtLog>,
    /// What else knows its symbols.
    sources: Arc<RwLock<Sources>>,
}

impl Module {
    pub(crate) fn new(
        source: Source,
        expected: Option<BuildId>,
        segments: Option<Segments>,
        may_stay_open: bool,
        options: Arc<Options>,
    ) -> Self {
        Self {
            sources: Arc::default(),
            origin: Mutex::new(Some(Origin::Source(source))),
            may_stay_open,
            expected,
            given_segments: segments,
            options,
            files: OnceLock::new(),
            asked: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            not_written: Arc::default(),
            log: Arc::default(),
        }
    }

    /// A module of which the index is all there is.
    pub(crate) fn of_index(
        index: SymbolIndex,
        segments: Option<Segments>,
        options: Arc<Options>,
    ) -> Self {
        let files = Files::of_index(index, &options);
        Self {
            origin: Mutex::new(None),
            may_stay_open: false,
            expected: None,
            given_segments: segments,
            options,
            files: OnceLock::from(Ok(files)),
            asked: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            not_written: Arc::default(),
            log: Arc::default(),
            sources: Arc::default(),
        }
    }

    /// Returns the module as it was given, with nothing read of it: `None` when
    /// nothing is, or when it could not be read again.
    pub(crate) fn forget(&self) -> Option<Self> {
        self.files.get()?;
        let origin = self.origin().take()?;
        Some(self.with(Some(origin), OnceLock::new()))
    }

    /// Returns the module without what its index has made useless: `None` when there
    /// is nothing of the kind.
    pub(crate) fn indexed_alone(&self) -> Option<Self> {
        let files = self.read_files()?.indexed_alone()?;
        let origin = self.origin().take();
        Some(self.with(origin, OnceLock::from(Ok(files))))
    }

    /// Returns the module as it is without its index: `None` when that is not damaged.
    pub(crate) fn without_damaged_index(&self) -> Option<Self> {
        let files = self
            .read_files()
            .filter(|files| files.has_damaged_index())?;
        let anew = files.without_index(self.expected, &self.options);
        let origin = self.origin().take();
        Some(self.with(origin, OnceLock::from(anew)))
    }

    fn with(&self, origin: Option<Origin>, files: OnceLock<Result<Files, Error>>) -> Self {
        Self {
            origin: Mutex::new(origin),
            may_stay_open: self.may_stay_open,
            expected: self.expected,
            given_segments: self.given_segments.clone(),
            options: Arc::clone(&self.options),
            files,
            asked: AtomicUsize::new(0),
            used: AtomicU64::new(self.used()),
            not_written: Arc::clone(&self.not_written),
            log: Arc::clone(&self.log),
            sources: Arc::clone(&self.sources),
        }
    }

    /// Has one more source asked.
    pub(crate) fn add_source(&self, turn: Turn, source: Arc<dyn SymbolSource>) {
        let sources = self.sources.write();
        let mut sources = sources.unwrap_or_else(PoisonError::into_inner);
        *sources = sources.with(turn, source);
    }

    fn sources(&self) -> Sources {
        let sources = self.sources.read();
        sources.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether its index, if it has one, is not all that is asked.
    pub(crate) fn has_sources(&self) -> bool {
        !self.sources().is_empty()
    }

    fn origin(&self) -> MutexGuard<'_, Option<Origin>> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files, the first time; says why not when neither the module
    /// itself nor a debug file can be used.
    pub(crate) fn load(&self) -> Result<(), Error> {
        self.files().map(drop)
    }

    fn files(&self) -> Result<&Files, Error> {
        let files = self.files.get_or_init(|| {
            let origin = self.origin().take().ok_or(Error::NotFound)?;
            let files = Files::open(&origin, self.expected, &self.options, &self.log)?;
            if let (Origin::Source(Source::Symbols(source)), None) = (&origin, files.indexed()) {
                self.add_source(Turn::After, Arc::clone(source));
            }
            *self.origin() = files.again(origin, self.may_stay_open);
            Ok(files)
        });
        files.as_ref().map_err(Clone::clone)
    }

    /// Returns what was read, if anything was.
    pub(crate) fn read_files(&self) -> Option<&Files> {
        self.files.get()?.as_ref().ok()
    }

    /// Notes the batch that asks for it.
    pub(crate) fn note_use(&self, batch: u64) {
        self.used.fetch_max(batch, Ordering::Relaxed);
    }

    /// Returns the number of the batch that asked last.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the virtual offset to look up.
    pub(crate) fn resolve(&self, place: Place, lookup: Lookup) -> Result<VirtOffset, Reason> {
        // A call at the very end of a function returns to the next one.
        let back = match lookup {
            Lookup::Exact => 0,
            Lookup::Return => 1,
        };
        let earlier = |raw: u64| raw.checked_sub(back).ok_or(Reason::NoSymbols);
        let offset = match place {
            Place::Virt(virt) => return earlier(virt.0).map(VirtOffset),
            Place::File(offset) => FileOffset(earlier(offset.0)?),
        };
        let own = || self.files().ok()?.segments();
        // An object file's headers say nothing: its sections do.
        let given = self.given_segments.as_ref();
        let given = given.filter(|given| !given.as_slice().is_empty());
        let segments = given.or_else(own);
        let segments = segments.ok_or_else(|| match self.load() {
            Ok(()) => Reason::NeedsProgramHeaders,
            Err(error) => error.reason(),
        })?;
        segments.virt_offset_of(offset).ok_or(Reason::NoSymbols)
    }

    /// Returns the module's flat index, if there is one.
    #[inline]
    pub(crate) fn indexed(&self) -> Option<&Arc<IndexView>> {
        self.read_files()?.indexed()
    }

    /// Returns the module's flat index, and builds it the first time. `None` when
    /// the files cannot be indexed, or when another builds it and this is one of rayon's
    /// threads: it goes on unit by unit, which finds the same.
    pub(crate) fn index(&self) -> Option<&Arc<IndexView>> {
        self.files()
            .ok()?
            .make_indexed(self.expected, &self.options, &self.not_written)
    }

    /// The same for who cannot do without: builds another one where one is being built.
    pub(crate) fn index_now(&self) -> Option<Arc<IndexView>> {
        if let Some(indexed) = self.index() {
            return Some(Arc::clone(indexed));
        }
        let index = self
            .files()
            .ok()?
            .index(self.expected, &self.options)
            .ok()?;
        Some(Arc::new(IndexView::new(index, self.options.view())))
    }

    /// Returns what was too large to be read, whether or not its files are still open.
    pub(crate) fn oversized(&self) -> Vec<Oversized> {
        self.log.oversized.list()
    }

    /// Returns what is less than it should be in its debug information.
    pub(crate) fn shortfalls(&self) -> Vec<Shortfall> {
        self.log.shortfalls.list()
    }

    /// Returns what was looked for so far.
    pub(crate) fn sought(&self) -> Vec<Sought> {
        self.log.list()
    }

    /// Returns why an index was not written that should have been.
    pub(crate) fn not_written(&self) -> Option<&IndexError> {
        self.not_written.get()
    }

    /// Returns a flat index for the caller.
    pub(crate) fn build_index(&self) -> Result<SymbolIndex, Error> {
        let files = self.files()?;
        let index = files.index(self.expected, &self.options)?;
        Ok(index.with_strangers(files.is_of_strangers()))
    }

    /// Notes that so many addresses are asked for, and returns whether with them
    /// indexing the whole module costs less than going on unit by unit.
    pub(crate) fn is_worth_indexing(&self, addresses: usize) -> bool {
        let before = self.asked.fetch_add(addresses, Ordering::Relaxed);
        let asked = before.saturating_add(addresses);
        let Some(files) = self.files().ok().filter(|_| asked >= FEW) else {
            return false;
        };
        let size = files.info_size(&self.options);
        asked.saturating_mul(WORTH) >= size
            && self.transient_bytes() <= self.options.budget.transient_bytes
    }

    /// Returns the bytes that indexing it may take for a while, as far as is known.
    pub(crate) fn transient_bytes(&self) -> u64 {
        let files = self.files().ok();
        let size = files.map_or(0, |files| files.info_size(&self.options));
        let sections = files.map_or(0, Files::section_bytes);
        wide(size)
            .saturating_mul(TRANSIENT)
            .saturating_add(sections)
    }

    /// Returns what stands at this virtual offset.
    pub(crate) fn find(&self, virt: VirtOffset) -> Result<Frames, Reason> {
        let sources = self.sources();
        if sources.is_empty() {
            return self.find_in_files(virt);
        }
        sources.ask(virt, || self.find_in_files(virt))
    }

    fn find_in_files(&self, virt: VirtOffset) -> Result<Frames, Reason> {
        let files = self.files().map_err(|error| error.reason())?;
        let Some(indexed) = files.indexed() else {
            return files.find(virt.0, &self.options);
        };
        let hit = indexed.find(virt.0).ok_or_else(|| indexed.why_nothing())?;
        Ok(indexed.frames(hit))
    }
}
