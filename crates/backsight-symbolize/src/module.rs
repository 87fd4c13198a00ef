//! One module: its own file, its debug file, and how the two answer together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use backsight_types::{BuildId, FileOffset, Lookup, Reason, Segments, VirtOffset};

use crate::code_map::CodeMap;
use crate::dwarf::{DwarfFile, Fault, Found, Level, Location};
use crate::elf::ElfFile;
use crate::flat::{self, Sources};
use crate::image::Image;
use crate::index::Index;
use crate::indexed::Indexed;
use crate::locate::{Near, Search, Site};
use crate::name::Name;
use crate::symbol_tables::SymbolTables;
use crate::{Error, Frame, Frames, Options, Place, Source};

/// Fewer addresses than this never pay for an index.
const FEW: usize = 64;

/// An index pays once an address was asked for each so many bytes of
/// `.debug_info`. docs/decisions/0009 has the measurement.
const WORTH: usize = 2048;

/// A module as it was given, and what was read of it so far.
#[derive(Debug)]
pub(crate) struct Module {
    /// Taken, and so closed, when the files are read.
    source: Mutex<Option<Source>>,
    expected: Option<BuildId>,
    given_segments: Option<Segments>,
    options: Arc<Options>,
    files: OnceLock<Result<Files, Error>>,
    /// Addresses that were asked for so far while there was no index.
    asked: AtomicUsize,
}

/// The files of a module, and what they hold, read when first needed.
#[derive(Debug)]
struct Files {
    /// The executable or library itself. It may be missing while the debug file
    /// is there.
    own: Result<Arc<ElfFile>, Error>,
    debug: Option<(Arc<ElfFile>, Site)>,
    /// Where the module stands, if that is known.
    path: Option<PathBuf>,
    dwarf: OnceLock<Option<Result<DwarfFile, Fault>>>,
    symbols: SymbolTables,
    /// All of it, flat, once a batch asked for most of it.
    indexed: OnceLock<Option<Arc<Indexed>>>,
}

impl Module {
    pub(crate) fn new(
        source: Source,
        expected: Option<BuildId>,
        segments: Option<Segments>,
        options: Arc<Options>,
    ) -> Self {
        Self {
            source: Mutex::new(Some(source)),
            expected,
            given_segments: segments,
            options,
            files: OnceLock::new(),
            asked: AtomicUsize::new(0),
        }
    }

    /// A module of which the index is all there is.
    pub(crate) fn of_index(
        index: Index,
        segments: Option<Segments>,
        options: Arc<Options>,
    ) -> Self {
        let indexed = Arc::new(Indexed::new(index, Arc::clone(&options)));
        let files = Files {
            own: Err(Error::NotFound),
            debug: None,
            path: None,
            dwarf: OnceLock::new(),
            symbols: SymbolTables::new(None, None),
            indexed: OnceLock::from(Some(indexed)),
        };
        Self {
            source: Mutex::new(None),
            expected: None,
            given_segments: segments,
            options,
            files: OnceLock::from(Ok(files)),
            asked: AtomicUsize::new(0),
        }
    }

    /// Reads the files, the first time; says why not when neither the module
    /// itself nor a debug file can be used.
    pub(crate) fn load(&self) -> Result<(), Error> {
        self.files().map(drop)
    }

    fn files(&self) -> Result<&Files, Error> {
        let files = self.files.get_or_init(|| {
            let lock = || self.source.lock().unwrap_or_else(PoisonError::into_inner);
            let source = lock().take().ok_or(Error::NotFound)?;
            Files::open(source, self.expected, &self.options)
        });
        files.as_ref().map_err(Clone::clone)
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
        let own = || self.files().ok()?.own.as_ref().ok()?.segments();
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

    /// Returns the module's flat index, if it was built.
    #[inline]
    pub(crate) fn indexed(&self) -> Option<&Arc<Indexed>> {
        self.files.get()?.as_ref().ok()?.indexed.get()?.as_ref()
    }

    /// Returns the module's flat index, and builds it the first time. `None` when
    /// the files cannot be indexed.
    pub(crate) fn index(&self) -> Option<&Arc<Indexed>> {
        let files = self.files().ok()?;
        let build = || {
            let index = files.index(self.expected, &self.options).ok()?;
            Some(Arc::new(Indexed::new(index, Arc::clone(&self.options))))
        };
        files.indexed.get_or_init(build).as_ref()
    }

    /// Returns a flat index for the caller.
    pub(crate) fn build_index(&self) -> Result<Index, Error> {
        self.files()?.index(self.expected, &self.options)
    }

    /// Notes that so many addresses are asked for, and returns whether with them
    /// indexing the whole module costs less than going on unit by unit.
    pub(crate) fn is_worth_indexing(&self, addresses: usize) -> bool {
        let before = self.asked.fetch_add(addresses, Ordering::Relaxed);
        let asked = before.saturating_add(addresses);
        asked >= FEW
            && self
                .files()
                .is_ok_and(|files| asked.saturating_mul(WORTH) >= files.info_size(&self.options))
    }

    /// Returns what stands at this virtual offset.
    pub(crate) fn find(&self, virt: VirtOffset) -> Result<Frames, Reason> {
        let files = self.files().map_err(|error| error.reason())?;
        files.find(virt.0, &self.options)
    }
}

impl Files {
    fn open(
        source: Source,
        expected: Option<BuildId>,
        options: &Arc<Options>,
    ) -> Result<Self, Error> {
        let (own, path, expected) = match source {
            Source::BuildId(id) => (Err(Error::NotFound), None, Some(id)),
            Source::Bytes(bytes) => (Ok(Image::Given(bytes)), None, expected),
            Source::File { file, path } => {
                let limit = options.limits.file_bytes;
                (Image::of_file(&file, options.access, limit), path, expected)
            }
        };
        let own = own.and_then(ElfFile::parse).and_then(|own| match expected {
            Some(id) if own.build_id() != Some(id) => Err(Error::BuildIdMismatch),
            _ => Ok(Arc::new(own)),
        });
        let near = Near::new(None, path.clone());
        let search = Search {
            options,
            near: &near,
        };
        let readable = own.as_deref().ok();
        let id = expected.or_else(|| readable?.build_id());
        let debug = search.debug_file(id, readable);
        let debug = debug.map(|found| (Arc::new(found.elf), found.site));
        if let (Err(error), None) = (&own, &debug) {
            return Err(error.clone());
        }
        let debug_elf = debug.as_ref().map(|(elf, _)| elf);
        let symbols = SymbolTables::new(own.as_ref().ok(), debug_elf);
        Ok(Self {
            own,
            debug,
            path,
            dwarf: OnceLock::new(),
            symbols,
            indexed: OnceLock::new(),
        })
    }

    fn find(&self, addr: u64, options: &Arc<Options>) -> Result<Frames, Reason> {
        let dwarf = self.dwarf.get_or_init(|| self.open_dwarf(options));
        let mut found = match dwarf {
            Some(Ok(dwarf)) => dwarf.find(addr),
            Some(Err(fault)) => Found {
                limited: *fault == Fault::Limit,
                ..Found::default()
            },
            None => Found::default(),
        };
        let nameless = found
            .levels
            .last()
            .is_none_or(|last| last.name.function.is_none());
        let symbol = match nameless.then(|| self.symbols.find(addr, options)) {
            Some(Ok(symbol)) => symbol,
            Some(Err(fault)) => {
                found.limited |= fault == Fault::Limit;
                None
            }
            None => None,
        };
        if found.levels.is_empty() && (symbol.is_some() || found.location.is_some()) {
            found.levels.push(Level {
                name: Name::default(),
                location: found.location.take().unwrap_or_default(),
                inlined: false,
                start: None,
            });
        }
        if let (Some(last), Some((name, start))) = (found.levels.last_mut(), symbol) {
            last.name = name;
            last.start = last.start.or(Some(start));
        }
        if found.levels.is_empty() {
            return Err(if found.limited {
                Reason::Limit
            } else {
                Reason::NoSymbols
            });
        }
        let frames = found.levels.into_iter().map(frame);
        Ok(Frames::new(frames.collect(), found.limited))
    }

    /// Returns the flat index of all that the files say.
    fn index(&self, expected: Option<BuildId>, options: &Arc<Options>) -> Result<Index, Error> {
        let too_large = |limit| Error::TooLarge { limit };
        let own = match (&self.own, &self.debug) {
            (Ok(own), _) => own,
            (Err(_), Some((debug, _))) => debug,
            (Err(error), None) => return Err(error.clone()),
        };
        let code = CodeMap::new(own.code_ranges()).ok_or(too_large(u32::MAX.into()))?;
        let (dwarf, (symbols, limited)) = rayon::join(
            || self.dwarf.get_or_init(|| self.open_dwarf(options)),
            || self.symbols.read_all(options),
        );
        let dwarf = match dwarf {
            Some(Ok(dwarf)) => Some(dwarf),
            // What a limit keeps from being read is said per address.
            Some(Err(Fault::Limit)) => return Err(too_large(options.limits.unpacked_bytes)),
            Some(Err(Fault::Malformed)) | None => None,
        };
        Ok(flat::build(Sources {
            build_id: expected.or_else(|| own.build_id()),
            code,
            dwarf,
            symbols,
            limited,
            limits: &options.limits,
        }))
    }

    /// Returns the bytes of debug information to be walked.
    fn info_size(&self, options: &Arc<Options>) -> usize {
        match self.dwarf.get_or_init(|| self.open_dwarf(options)) {
            Some(Ok(dwarf)) => dwarf.info_size(),
            _ => 0,
        }
    }

    /// The debug file's, if it has any, else the module's own. DWARF that cannot
    /// be used at all gives way to the other file's.
    fn open_dwarf(&self, options: &Arc<Options>) -> Option<Result<DwarfFile, Fault>> {
        let debug = self.debug.as_ref().map(|(elf, site)| {
            let near = Near::new(Some(site.clone()), self.path.clone());
            (elf, near)
        });
        let own = self.own.iter();
        let own = own.map(|own| (own, Near::new(None, self.path.clone())));
        let mut failed = None;
        for (file, near) in debug.into_iter().chain(own) {
            match DwarfFile::open(file, near, options) {
                Some(Ok(dwarf)) => return Some(Ok(dwarf)),
                Some(Err(fault)) => failed = Some(Err(fault)),
                None => {}
            }
        }
        failed
    }
}

fn frame(level: Level) -> Frame {
    let Name {
        function,
        linkage,
        line: start_line,
    } = level.name;
    let Location { file, line, column } = level.location;
    Frame {
        function,
        start_line: Some(start_line).filter(|line| *line > 0),
        linkage_name: linkage,
        file,
        line,
        column,
        inlined: level.inlined,
        start: level.start.map(VirtOffset),
    }
}
