//! The files of a module, and what was read of them.

mod find;
mod go;
mod headers;
mod open;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use backsight_index::engine::{CodeOffsets, lossy, wide};
use backsight_index::{Binding, IndexError, IndexView, SymbolIndex};
use backsight_types::BuildId;

use crate::damage_reporter::DamageReporter;
use crate::dwarf::{DwarfFile, Fault};
use crate::elf::{ElfFile, SymbolKind, SymbolRow, for_each};
use crate::error::{Cause, Error};
use crate::go_lines::GoLines;
use crate::locate::{SearchBase, Site};
use crate::module_index::{self, ModuleSources};
use crate::options::Options;
use crate::rayon_once::RayonOnce;
use crate::request::ModuleInput;
use crate::sought::SoughtLog;
use crate::symbol_tables::SymbolTables;
use crate::trace::{event, in_span};

/// An index is copied into pages of its own if the budget has room for fewer than this
/// many of its size: the memory of an evicted index can then be used for anything else.
/// For smaller indexes that is not worth the copy.
const MIN_INDEXES_TO_PAGE: u64 = 32;

/// Where a module's own bytes come from.
#[derive(Debug)]
pub(crate) enum ModuleOrigin {
    /// As the caller gave it.
    Input(ModuleInput),
    /// A mapped file, and its path.
    Mapped(Arc<ElfFile>, Option<PathBuf>),
}

/// The files of a module, and what they hold, read when first needed.
#[derive(Debug)]
pub(crate) struct LoadedFiles {
    /// The executable or library itself. It may be missing while the debug file
    /// is there.
    own: Result<Arc<ElfFile>, Error>,
    debug: Option<(Arc<ElfFile>, Site)>,
    /// The path of the module, if it is known.
    path: Option<PathBuf>,
    dwarf: OnceLock<Option<Result<DwarfFile, Fault>>>,
    /// The line table of a Go program, where debug information says nothing of Go.
    go: OnceLock<Option<GoLines>>,
    symbols: SymbolTables,
    /// The whole module, indexed, once enough of it was asked for.
    indexed: RayonOnce<Option<Arc<IndexView>>>,
    /// The key of an index that was read from the index directory.
    kept: Option<IndexKey>,
    /// Identifies the files that an index is built from; `None` for bytes without a file.
    binding: Option<Binding>,
    /// What was looked for.
    log: Arc<SoughtLog>,
}

/// What an index file is named by in the index directory.
type IndexKey = (BuildId, Option<Binding>);

impl LoadedFiles {
    /// Returns the same files without the DWARF that the index replaces. `None` without an
    /// index, or when no DWARF was opened.
    pub(crate) fn without_dwarf(&self) -> Option<Self> {
        let indexed = Arc::clone(self.indexed()?);
        self.dwarf.get()?;
        let debug_elf = self.debug.as_ref().map(|(elf, _)| elf);
        Some(Self {
            symbols: SymbolTables::new(
                self.own.as_ref().ok(),
                debug_elf,
                DamageReporter::new(&self.path, &self.log),
            ),
            own: self.own.clone(),
            debug: self.debug.clone(),
            path: self.path.clone(),
            dwarf: OnceLock::new(),
            go: OnceLock::new(),
            indexed: RayonOnce::from(Some(indexed)),
            kept: self.kept,
            binding: self.binding,
            log: Arc::clone(&self.log),
        })
    }

    /// Returns where the module can be read from after an eviction. `None` when that takes
    /// an open file, and it may not stay open.
    pub(crate) fn reopen_origin(
        &self,
        origin: ModuleOrigin,
        may_stay_open: bool,
    ) -> Option<ModuleOrigin> {
        match (origin, &self.own) {
            (ModuleOrigin::Input(ModuleInput::File { path, .. }), Ok(own))
                if own.read_bytes() == 0 =>
            {
                Some(ModuleOrigin::Mapped(Arc::clone(own), path))
            }
            (ModuleOrigin::Input(ModuleInput::File { .. }), _) if !may_stay_open => None,
            (origin, _) => Some(origin),
        }
    }

    /// Returns the flat index, if there is one.
    #[inline]
    pub(crate) fn indexed(&self) -> Option<&Arc<IndexView>> {
        self.indexed.get()?.as_ref()
    }

    /// Returns the flat index, and builds it the first time. `None` when the files cannot
    /// be indexed, and on a pool thread while another builds it. `not_written` gets the
    /// error if the index could not be written to the index directory.
    pub(crate) fn get_or_build_index(
        &self,
        expected: Option<BuildId>,
        options: &Arc<Options>,
        not_written: &OnceLock<IndexError>,
    ) -> Option<&Arc<IndexView>> {
        let build = || {
            let built = in_span!("index", self.index(expected, options));
            let index = built.ok()?.with_untrusted(self.is_untrusted());
            // An index file does not record shortfalls, so only complete ones are written.
            let is_whole = !index.limit_reached()
                && !index.is_incomplete()
                && self.log.shortfalls.list().is_empty();
            let may_be_kept = is_whole && !index.is_untrusted() && index.build_id().is_some();
            let dir = options.index_dir.as_ref().filter(|_| may_be_kept);
            if let Some((dir, binding)) = dir.zip(self.binding) {
                let written = dir.keep_bound(&index, Some(binding));
                event!("index written", succeeded = written.is_ok());
                if let Err(error) = written {
                    // The first is kept, and there is one.
                    let _ = not_written.set(error);
                }
            }
            let mut index = index;
            if index.kept_bytes().saturating_mul(MIN_INDEXES_TO_PAGE) > options.budget.kept_bytes {
                index = index.into_pages();
            }
            Some(Arc::new(IndexView::new(index, options.view())))
        };
        self.indexed.get_or_make(build)?.as_ref()
    }

    /// Returns the bytes of memory that the files and their tables take.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let own = self.own.as_ref().map_or(0, |own| own.read_bytes());
        let debug = self.debug.as_ref().map_or(0, |(elf, _)| elf.read_bytes());
        let dwarf = match self.dwarf.get() {
            Some(Some(Ok(dwarf))) => dwarf.kept_bytes(),
            _ => 0,
        };
        let indexed = self.indexed().map_or(0, |indexed| indexed.kept_bytes());
        let go = self.go.get().and_then(Option::as_ref);
        let go = go.map_or(0, |go| wide(go.kept_bytes()));
        [go, own, debug, dwarf, self.symbols.kept_bytes(), indexed]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Calls `found` for each symbol of all tables, with its name. Those of objects in
    /// a file that is not linked are nowhere.
    pub(crate) fn for_each_symbol(
        &self,
        options: &Options,
        mut found: impl FnMut(&SymbolRow<'_>, &str),
    ) {
        self.symbols.for_each_table(options, |file, table| {
            for_each(file, table, |row| {
                let placed =
                    row.is_in_code() || (row.kind == SymbolKind::Object && !file.is_relocatable());
                let name = row.name(options.limits.name_bytes).filter(|_| placed);
                if let Some(name) = name {
                    found(&row, &lossy(file.text(name)));
                }
            });
        });
    }

    /// Builds a flat index of all that the files hold.
    pub(crate) fn index(
        &self,
        expected: Option<BuildId>,
        options: &Arc<Options>,
    ) -> Result<SymbolIndex, Error> {
        let index = self.build_index(expected, options);
        index.map_err(|error| error.or_path(self.path.as_deref()))
    }

    fn build_index(
        &self,
        expected: Option<BuildId>,
        options: &Arc<Options>,
    ) -> Result<SymbolIndex, Error> {
        let too_large = |limit| Cause::TooLarge { limit };
        let own = match (&self.own, &self.debug) {
            (Ok(own), _) => own,
            (Err(_), Some((debug, _))) => debug,
            (Err(error), None) => return Err(error.clone()),
        };
        if own.is_without_code() {
            return Err(Cause::NoCode.into());
        }
        let code = CodeOffsets::new(own.code_ranges()).ok_or(too_large(u32::MAX.into()))?;
        let unpacked = self.dwarf(options).map(|dwarf| {
            let dwarf = dwarf.as_ref().map_err(|fault| *fault)?;
            dwarf.unpack().map(|()| dwarf)
        });
        let dwarf = match unpacked {
            Some(Ok(dwarf)) => Some(dwarf),
            // What a limit keeps from being read is said per address.
            Some(Err(Fault::Limit)) => {
                let noted = self.log.oversized.list().pop();
                let noted = noted.map(|file| (file.needed, file.allowed));
                let (needed, allowed) = noted.unwrap_or_default();
                return Err(Cause::Oversized { needed, allowed }.into());
            }
            Some(Err(Fault::Malformed)) | None => None,
        };
        let sources = ModuleSources {
            build_id: expected.or_else(|| own.build_id()),
            code,
            dwarf,
            go: self.go(options),
            limits: &options.limits,
        };
        Ok(module_index::build(sources, || {
            self.symbols.read_all(options)
        }))
    }

    /// Returns the file whose sections say where code is.
    fn code_file(&self) -> Option<&ElfFile> {
        let debug = self.debug.as_ref().map(|(elf, _)| &**elf);
        self.own.as_deref().ok().or(debug)
    }

    /// Returns whether others than root and us decide what they say, as far as they were
    /// read.
    pub(crate) fn is_untrusted(&self) -> bool {
        let own = self.own.as_ref().is_ok_and(|own| own.is_untrusted());
        let debug = self.debug.as_ref();
        own || debug.is_some_and(|(elf, _)| elf.is_untrusted())
            || matches!(self.dwarf.get(), Some(Some(Ok(dwarf))) if dwarf.has_untrusted())
    }

    /// Returns the bytes of debug information to be walked.
    pub(crate) fn info_size(&self, options: &Arc<Options>) -> usize {
        let dwarf = match self.dwarf(options) {
            Some(Ok(dwarf)) => dwarf.info_size(),
            _ => 0,
        };
        let go = self.go(options).map_or(0, GoLines::size);
        dwarf.saturating_add(go)
    }

    /// Returns the bytes of the debug sections that are read.
    pub(crate) fn section_bytes(&self) -> u64 {
        match self.dwarf.get() {
            Some(Some(Ok(dwarf))) => dwarf.section_bytes(),
            _ => 0,
        }
    }

    /// Returns the debug information, opened the first time; `None` where there is none, and where
    /// it is not to be read.
    pub(super) fn dwarf(&self, options: &Arc<Options>) -> Option<&Result<DwarfFile, Fault>> {
        if !options.debug_info {
            return None;
        }
        let dwarf = self.dwarf.get_or_init(|| self.open_dwarf(options));
        dwarf.as_ref()
    }

    /// The debug file's, if it has any, else the module's own. DWARF that cannot
    /// be used at all gives way to the other file's.
    fn open_dwarf(&self, options: &Arc<Options>) -> Option<Result<DwarfFile, Fault>> {
        let debug = self.debug.as_ref().map(|(elf, site)| {
            let base =
                SearchBase::new(Some(site.clone()), self.path.clone(), Arc::clone(&self.log));
            (elf, base)
        });
        let own = self.own.iter();
        let own = own.map(|own| {
            let base = SearchBase::new(None, self.path.clone(), Arc::clone(&self.log));
            (own, base)
        });
        let mut failed = None;
        for (file, base) in debug.into_iter().chain(own) {
            match DwarfFile::open(file, base, options) {
                Some(Ok(dwarf)) => return Some(Ok(dwarf)),
                Some(Err(fault)) => failed = Some(Err(fault)),
                None => {}
            }
        }
        failed
    }
}
