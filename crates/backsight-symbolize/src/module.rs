//! One module, as it was given and as it is known so far.

mod symbol_file;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use backsight_index::engine::wide;
use backsight_index::{Frames, IndexError, IndexView, SymbolIndex};
use backsight_types::{BuildId, FileOffset, Lookup, Reason, Segments, VirtOffset};

use crate::error::{Cause, Error};
use crate::files::{LoadedFiles, ModuleOrigin};
use crate::go_program::GoProgram;
use crate::open_files::OpenFilePermit;
use crate::options::Options;
use crate::oversized::Oversized;
use crate::request::{ModuleInput, Place};
use crate::shortfall::Shortfall;
use crate::sought::{Sought, SoughtLog};
use crate::source::{Sources, SymbolSource, Turn};

/// With fewer addresses an index never pays.
const INDEX_MIN_ADDRESSES: usize = 64;

/// An index pays once there was one address for this many bytes of `.debug_info`.
/// docs/decisions/0009 has the measurement.
const INFO_BYTES_PER_ADDRESS: usize = 4096;

/// Bytes that the tables of an index take at most while it is built, the index included,
/// for each byte of `.debug_info`: 0.8 were measured of a kernel, 1.0 of a C++ program,
/// 2.4 and 2.6 of two Rust ones. The debug sections themselves come on top.
const INDEXING_BYTES_PER_INFO_BYTE: u64 = 3;

/// Batches that use an indexed module between two counts of what it keeps.
const USES_PER_COUNT: u64 = 64;

/// A module as it was given, and what was read of it so far.
#[derive(Debug)]
pub(crate) struct SymbolModule {
    /// `None` while the files are read, and after that if they cannot be read again.
    origin: Mutex<Option<ModuleOrigin>>,
    /// Held while the origin is an open file. Without one, a file that is read and not mapped
    /// does not stay open, to be read again.
    permit: Mutex<Option<OpenFilePermit>>,
    expected: Option<BuildId>,
    given_segments: Option<Segments>,
    options: Arc<Options>,
    files: OnceLock<Result<LoadedFiles, Error>>,
    /// Addresses looked up so far without an index.
    asked: AtomicUsize,
    /// The number of the last batch that used it.
    used: AtomicU64,
    /// How many batches did.
    uses: AtomicU64,
    /// Why an index was not written to the directory, though it should have been.
    not_written: Arc<OnceLock<IndexError>>,
    /// Which files were looked for.
    log: Arc<SoughtLog>,
    /// Other sources of its symbols.
    sources: Arc<RwLock<Sources>>,
    /// Whether one of them is a file of [`Options::symbol_files`].
    has_symbol_file: Arc<OnceLock<bool>>,
}

impl SymbolModule {
    pub(crate) fn new(
        input: ModuleInput,
        expected: Option<BuildId>,
        segments: Option<Segments>,
        permit: Option<OpenFilePermit>,
        options: Arc<Options>,
    ) -> Self {
        Self {
            sources: Arc::default(),
            has_symbol_file: Arc::default(),
            origin: Mutex::new(Some(ModuleOrigin::Input(input))),
            permit: Mutex::new(permit),
            expected,
            given_segments: segments,
            options,
            files: OnceLock::new(),
            asked: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            not_written: Arc::default(),
            log: Arc::default(),
        }
    }

    /// A module that consists of an index alone.
    pub(crate) fn of_index(
        index: SymbolIndex,
        segments: Option<Segments>,
        options: Arc<Options>,
    ) -> Self {
        let files = LoadedFiles::of_index(index, &options);
        Self {
            origin: Mutex::new(None),
            permit: Mutex::default(),
            expected: None,
            given_segments: segments,
            options,
            files: OnceLock::from(Ok(files)),
            asked: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            not_written: Arc::default(),
            log: Arc::default(),
            sources: Arc::default(),
            has_symbol_file: Arc::default(),
        }
    }

    /// Returns the module as it was given, with nothing read. `None` when nothing was
    /// read yet, or when it cannot be read again.
    pub(crate) fn forget(&self) -> Option<Self> {
        self.files.get()?;
        let origin = self.origin().take()?;
        Some(self.with(Some(origin), OnceLock::new()))
    }

    /// Returns the module without the DWARF that its index replaces. `None` without an
    /// index, or when no DWARF was opened.
    pub(crate) fn without_dwarf(&self) -> Option<Self> {
        let files = self.read_files()?.without_dwarf()?;
        let origin = self.origin().take();
        Some(self.with(origin, OnceLock::from(Ok(files))))
    }

    /// Returns the module without its index. `None` when the index is not damaged.
    pub(crate) fn without_damaged_index(&self) -> Option<Self> {
        let files = self
            .read_files()
            .filter(|files| files.has_damaged_index())?;
        let anew = files.without_index(self.expected, &self.options);
        let origin = self.origin().take();
        Some(self.with(origin, OnceLock::from(anew)))
    }

    fn with(
        &self,
        origin: Option<ModuleOrigin>,
        files: OnceLock<Result<LoadedFiles, Error>>,
    ) -> Self {
        Self {
            origin: Mutex::new(origin),
            permit: Mutex::new(self.permit().take()),
            expected: self.expected,
            given_segments: self.given_segments.clone(),
            options: Arc::clone(&self.options),
            files,
            asked: AtomicUsize::new(0),
            used: AtomicU64::new(self.used()),
            uses: AtomicU64::new(0),
            not_written: Arc::clone(&self.not_written),
            log: Arc::clone(&self.log),
            sources: Arc::clone(&self.sources),
            has_symbol_file: Arc::clone(&self.has_symbol_file),
        }
    }

    /// Adds a source of symbols.
    pub(crate) fn add_source(&self, turn: Turn, source: Arc<dyn SymbolSource>) {
        let sources = self.sources.write();
        let mut sources = sources.unwrap_or_else(PoisonError::into_inner);
        *sources = sources.with(turn, source);
    }

    fn sources(&self) -> Sources {
        let sources = self.sources.read();
        sources.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether other sources are asked beside its files and index.
    pub(crate) fn has_sources(&self) -> bool {
        !self.sources().is_empty()
    }

    fn origin(&self) -> MutexGuard<'_, Option<ModuleOrigin>> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(&self) -> MutexGuard<'_, Option<OpenFilePermit>> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its files were read, and could not be used.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.files.get(), Some(Err(_)))
    }

    /// Returns the bytes of memory that it keeps.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.read_files().map_or(0, LoadedFiles::kept_bytes)
    }

    /// Reads the files, the first time; says why not when neither the module
    /// itself nor a debug file can be used.
    pub(crate) fn load(&self) -> Result<(), Error> {
        self.files().map(drop)
    }

    fn files(&self) -> Result<&LoadedFiles, Error> {
        let files = self.files.get_or_init(|| {
            let origin = self.origin().take().ok_or(Cause::NotFound)?;
            let opened = LoadedFiles::open(&origin, self.expected, &self.options, &self.log);
            // A source that is the module itself needs no other.
            let has_symbol_file = !matches!(origin, ModuleOrigin::Input(ModuleInput::Symbols(_)))
                && self.join_symbol_file(&origin, opened.as_ref().ok());
            let files = match opened {
                Err(_) if has_symbol_file => LoadedFiles::none(),
                opened => opened?,
            };
            if let (ModuleOrigin::Input(ModuleInput::Symbols(source)), None) =
                (&origin, files.indexed())
            {
                self.add_source(Turn::After, Arc::clone(source));
            }
            let mut permit = self.permit();
            let origin = files.reopen_origin(origin, permit.is_some());
            if !matches!(origin, Some(ModuleOrigin::Input(ModuleInput::File { .. }))) {
                *permit = None;
            }
            *self.origin() = origin;
            Ok(files)
        });
        files.as_ref().map_err(Clone::clone)
    }

    /// Returns what was read, if anything was.
    pub(crate) fn read_files(&self) -> Option<&LoadedFiles> {
        self.files.get()?.as_ref().ok()
    }

    /// Notes that this batch uses it. Returns whether it is time to count what it keeps: what
    /// answers from an index add to that are names alone.
    pub(crate) fn note_use(&self, batch: u64) -> bool {
        self.used.fetch_max(batch, Ordering::Relaxed);
        let uses = self.uses.fetch_add(1, Ordering::Relaxed);
        uses.is_multiple_of(USES_PER_COUNT)
    }

    /// Returns the number of the last batch that used it.
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
        // An object file has no program headers: its sections are used.
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

    /// Returns the module's flat index, and builds it the first time. `None` when the files
    /// cannot be indexed, and on a pool thread while another builds it: the caller then
    /// looks up unit by unit, with the same answers.
    pub(crate) fn index(&self) -> Option<&Arc<IndexView>> {
        self.files()
            .ok()?
            .get_or_build_index(self.expected, &self.options, &self.not_written)
    }

    /// Returns the index even while another thread builds it: then builds a second one.
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
        let mut all = self.log.shortfalls.list();
        all.extend(self.sources().shortfalls());
        if let Some(ModuleOrigin::Input(ModuleInput::Symbols(source))) = &*self.origin() {
            all.extend(source.shortfalls());
        }
        all.dedup();
        all
    }

    /// Returns what its own file tells of Go.
    pub(crate) fn go_program(&self) -> Option<GoProgram> {
        self.read_files()?.go_program(&self.options)
    }

    /// Notes where the caller looked for a file of it.
    pub(crate) fn note_sought(&self, sought: Sought) {
        self.log.push(sought);
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
        Ok(index.with_untrusted(files.is_untrusted()))
    }

    /// Counts this many more addresses, and returns whether indexing the whole module now
    /// costs less than looking them up unit by unit.
    pub(crate) fn is_worth_indexing(&self, addresses: usize) -> bool {
        let before = self.asked.fetch_add(addresses, Ordering::Relaxed);
        let asked = before.saturating_add(addresses);
        let Some(files) = self.files().ok().filter(|_| asked >= INDEX_MIN_ADDRESSES) else {
            return false;
        };
        let size = files.info_size(&self.options);
        asked.saturating_mul(INFO_BYTES_PER_ADDRESS) >= size
            && self.indexing_bytes() <= self.options.budget.indexing_bytes
    }

    /// Returns the bytes that indexing it may take for a while, as far as is known.
    pub(crate) fn indexing_bytes(&self) -> u64 {
        let files = self.files().ok();
        let size = files.map_or(0, |files| files.info_size(&self.options));
        let sections = files.map_or(0, LoadedFiles::section_bytes);
        wide(size)
            .saturating_mul(INDEXING_BYTES_PER_INFO_BYTE)
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
        let hit = indexed
            .find(virt.0)
            .ok_or_else(|| indexed.missing_reason())?;
        Ok(indexed.frames(hit))
    }
}
