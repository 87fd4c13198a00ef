//! Which files were looked for, and why those that were there did not count.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::oversized::OversizedFiles;
use crate::{Error, IndexError, ModuleId, Symbolizer};

/// A place where a file was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sought {
    /// What was looked for.
    pub kind: SoughtKind,
    /// Where: as this host names it.
    pub path: PathBuf,
    /// Whether it was taken, or why not. [`Error::Io`] with
    /// [`NotFound`](std::io::ErrorKind::NotFound): nothing is there.
    pub outcome: Result<(), Error>,
}

/// What was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SoughtKind {
    /// The module itself.
    Module,
    /// Its debug file.
    DebugFile,
    /// The file that a debug file shares with others (dwz).
    Supplementary,
    /// A package of split units (`.dwp`).
    Package,
    /// A split unit (`.dwo`).
    SplitUnit,
    /// A symbol table of a file that was read, and is damaged: noted only then, with
    /// [`Error::Damaged`] and where the file stands (nothing for bytes without a path).
    SymbolTable,
    /// An index in [`Options::index_dir`](crate::Options::index_dir).
    Index,
}

impl SoughtKind {
    /// Returns what people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::DebugFile => "debug file",
            Self::Supplementary => "supplementary file",
            Self::Package => "package of split units",
            Self::SplitUnit => "split unit",
            Self::SymbolTable => "sound symbol table",
            Self::Index => "index",
        }
    }
}

impl Symbolizer {
    /// Returns which files were looked for so far of a module, in order: its debug file,
    /// what that names, an index; and why those that were there did not count. At most a
    /// thousand. Empty for an id of another symbolizer.
    #[must_use]
    pub fn sought(&self, module: ModuleId) -> Vec<Sought> {
        let module = self.module(module);
        module.map_or_else(Vec::new, |module| module.sought())
    }

    /// Returns all modules, in the order in which they were added.
    #[must_use]
    pub fn module_ids(&self) -> Vec<ModuleId> {
        (0..self.modules().len()).map(ModuleId).collect()
    }

    /// Returns why indexes were not written to
    /// [`Options::index_dir`](crate::Options::index_dir) that should have been.
    #[must_use]
    pub fn index_errors(&self) -> Vec<IndexError> {
        let modules = self.modules();
        let errors = modules
            .iter()
            .filter_map(|module| module.not_written().cloned());
        errors.collect()
    }
}

/// What was looked for of one module, the first of it.
#[derive(Debug, Default)]
pub(crate) struct SoughtLog {
    all: Mutex<Vec<Sought>>,
    /// What was found, and too large.
    pub(crate) oversized: OversizedFiles,
}

impl SoughtLog {
    /// A module of ten thousand split units looks for each in three places.
    const MAX: usize = 1000;

    pub(crate) fn note(&self, kind: SoughtKind, path: PathBuf, outcome: Result<(), Error>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < Self::MAX {
            all.push(Sought {
                kind,
                path,
                outcome,
            });
        }
    }

    /// Notes what is wrong with the symbol tables of a file, once for each way of it.
    pub(crate) fn note_damage(&self, path: Option<PathBuf>, faults: Vec<Error>) {
        let path = path.unwrap_or_default();
        for fault in faults {
            let new = Sought {
                kind: SoughtKind::SymbolTable,
                path: path.clone(),
                outcome: Err(fault),
            };
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            // Files that were let go of are opened again.
            if all.len() < Self::MAX && !all.contains(&new) {
                all.push(new);
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<Sought> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
