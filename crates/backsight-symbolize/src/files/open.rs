//! How the files of a module are found, and its index instead of them.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use backsight_files::Image;
use backsight_index::{Binding, IndexBuilder, IndexDir, IndexView, SymbolIndex};
use backsight_types::BuildId;

use super::{LoadedFiles, ModuleOrigin};
use crate::damage_reporter::DamageReporter;
use crate::elf::ElfFile;
use crate::error::{Cause, Error};
use crate::locate::{FileSearch, SearchBase};
use crate::options::Options;
use crate::options::Tier;
use crate::packed::unpacked;
use crate::rayon_once::RayonOnce;
use crate::request::ModuleInput;
use crate::sought::SoughtKind;
use crate::sought::SoughtLog;
use crate::source::SymbolSource;
use crate::symbol_tables::SymbolTables;
use crate::trace::event;

impl LoadedFiles {
    /// Finds and opens them; says why not when neither the module itself nor a debug
    /// file nor an index can be used.
    pub(crate) fn open(
        origin: &ModuleOrigin,
        expected: Option<BuildId>,
        options: &Arc<Options>,
        log: &Arc<SoughtLog>,
    ) -> Result<Self, Error> {
        let limit = options.limits.file_bytes;
        let (own, path, expected) = match origin {
            ModuleOrigin::Input(ModuleInput::Symbols(source)) => {
                return Self::of_symbols(&**source, expected, options);
            }
            ModuleOrigin::Input(ModuleInput::BuildId(id)) => {
                let base = SearchBase::new(None, None, Arc::clone(log));
                let base = &base;
                let file = FileSearch { options, base }.module(None, id);
                let elf = file.and_then(|file| ElfFile::read(&file, None, limit, options));
                let elf = elf.map_err(|_| Cause::NotFound.into());
                (elf.map(Arc::new), None, Some(*id))
            }
            ModuleOrigin::Input(ModuleInput::Bytes(bytes)) => {
                let image = unpacked(Image::from(Arc::clone(bytes)), &options.limits);
                let elf = image.and_then(ElfFile::parse);
                (elf.map(Arc::new), None, expected)
            }
            ModuleOrigin::Input(ModuleInput::File { file, path }) => {
                let elf = ElfFile::read(file, path.as_deref(), limit, options);
                (elf.map(Arc::new), path.clone(), expected)
            }
            ModuleOrigin::Mapped(own, path) => (Ok(Arc::clone(own)), path.clone(), expected),
        };
        let own = own.and_then(|own| match expected {
            Some(id) if own.build_id() != Some(id) => {
                Err(Cause::other_build(own.build_id().as_ref(), &id).into())
            }
            _ => Ok(own),
        });
        let own = own.map_err(|error| error.or_path(path.as_deref()));
        let dir = options.index_dir.as_ref();
        let dir = dir.filter(|_| options.tier != Tier::Lazy && options.debug_info);
        Self::of_own(own, path, expected, options, dir, log)
    }

    /// Finds what goes with the module itself, an index in `dir` first.
    fn of_own(
        own: Result<Arc<ElfFile>, Error>,
        path: Option<PathBuf>,
        expected: Option<BuildId>,
        options: &Arc<Options>,
        dir: Option<&IndexDir>,
        log: &Arc<SoughtLog>,
    ) -> Result<Self, Error> {
        let readable = own.as_deref().ok();
        let id = expected.or_else(|| readable?.build_id());
        let kept_by = |binding: Option<Binding>| {
            let (dir, id) = dir.zip(id)?;
            let found = dir.get(id, binding, &(&**options).into());
            let outcome = found.as_ref().map(drop).map_err(Error::from);
            log.note(SoughtKind::Index, dir.path_bound(id, binding), outcome);
            Some(((id, binding), found.ok()?))
        };
        let vouched_for = kept_by(None);
        let base = SearchBase::new(None, path.clone(), Arc::clone(log));
        let search = FileSearch {
            options,
            base: &base,
        };
        let debug = match vouched_for {
            Some(_) => None,
            None => search.debug_file(id, readable),
        };
        let binding = binding(readable, debug.as_ref().map(|found| &found.elf));
        let kept = vouched_for.or_else(|| kept_by(Some(binding?)));
        let debug = debug.filter(|_| kept.is_none());
        if let Some(own) = readable {
            log.note_damage(path.clone(), own.faults_of_tables(), own.is_cut_off());
        }
        if let Some(debug) = &debug {
            let (path, elf) = (debug.site.shown(), &debug.elf);
            log.note_damage(Some(path), elf.faults_of_tables(), elf.is_cut_off());
        }
        let debug = debug.map(|mut found| {
            if let Some(own) = readable {
                found.elf.take_descriptors(own);
            }
            (Arc::new(found.elf), found.site)
        });
        if let (Err(error), None, None) = (&own, &debug, &kept) {
            return Err(error.clone());
        }
        let (has_debug, has_index) = (debug.is_some(), kept.is_some());
        event!("opened", debug_file = has_debug, index = has_index);
        let debug_elf = debug.as_ref().map(|(elf, _)| elf);
        let symbols = SymbolTables::new(
            own.as_ref().ok(),
            debug_elf,
            DamageReporter::new(&path, log),
        );
        let (kept, index) = kept.unzip();
        let indexed = index.map(|index| Arc::new(IndexView::new(index, options.view())));
        Ok(Self {
            own,
            debug,
            path,
            dwarf: OnceLock::new(),
            go: OnceLock::new(),
            symbols,
            indexed: indexed
                .map_or_else(RayonOnce::default, |indexed| RayonOnce::from(Some(indexed))),
            kept,
            binding,
            log: Arc::clone(log),
        })
    }

    /// Without files: an index of the source's symbols, if it can enumerate them.
    fn of_symbols(
        source: &dyn SymbolSource,
        build_id: Option<BuildId>,
        options: &Arc<Options>,
    ) -> Result<Self, Error> {
        let mut index = IndexBuilder::default();
        if let Some(id) = build_id {
            index = index.build_id(id);
        }
        match source.list(&mut index)? {
            true => Ok(Self::of_index(index.finish()?, options)),
            false => Ok(Self::none()),
        }
    }

    /// Files of which the index is all there is.
    pub(crate) fn of_index(index: SymbolIndex, options: &Options) -> Self {
        let indexed = Arc::new(IndexView::new(index, options.view()));
        Self {
            indexed: RayonOnce::from(Some(indexed)),
            ..Self::none()
        }
    }

    /// No files, and no index.
    pub(crate) fn none() -> Self {
        Self {
            own: Err(Cause::NotFound.into()),
            debug: None,
            path: None,
            dwarf: OnceLock::new(),
            go: OnceLock::new(),
            symbols: SymbolTables::new(None, None, DamageReporter::default()),
            indexed: RayonOnce::default(),
            kept: None,
            binding: None,
            log: Arc::default(),
        }
    }

    /// Returns whether their index turned out to be damaged.
    pub(crate) fn has_damaged_index(&self) -> bool {
        self.indexed().is_some_and(|indexed| indexed.found_damage())
    }

    /// Returns the files as they are without their index, which is damaged and goes.
    ///
    /// # Errors
    /// [`Cause::DamagedIndex`] when it is all there is.
    pub(crate) fn without_index(
        &self,
        expected: Option<BuildId>,
        options: &Arc<Options>,
    ) -> Result<Self, Error> {
        if let (Some(dir), Some((id, binding))) = (&options.index_dir, self.kept) {
            dir.remove(id, binding);
        }
        event!("index damaged");
        let id = expected.or_else(|| self.indexed()?.build_id());
        let files = Self::of_own(
            self.own.clone(),
            self.path.clone(),
            id,
            options,
            None,
            &self.log,
        );
        files.map_err(|_| Error::from(Cause::DamagedIndex).or_path(self.path.as_deref()))
    }
}

/// Returns which files an index may be kept for: none where one of them is no file.
fn binding(own: Option<&ElfFile>, debug: Option<&ElfFile>) -> Option<Binding> {
    let of = |elf: Option<&ElfFile>| match elf {
        Some(elf) => elf.identity().map(Some),
        None => Some(None),
    };
    let (own, debug) = (of(own)?, of(debug)?);
    (own.is_some() || debug.is_some()).then(|| Binding::of(own, debug))
}
