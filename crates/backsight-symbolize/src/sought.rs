//! Which files were looked for, and why those that were there did not count.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::error::{Cause, Error};
use crate::oversized::OversizedFiles;
use crate::shortfall::{Shortfall, ShortfallKind, Shortfalls};

/// A place where a file was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sought {
    /// What was looked for.
    pub kind: SoughtKind,
    /// Where: as this host names it.
    pub path: PathBuf,
    /// Whether it was taken, or why not. The error has the same path. Nothing is there if its
    /// cause is a [`Cause::File`] of the system's [`NotFound`](std::io::ErrorKind::NotFound).
    pub outcome: Result<(), Error>,
}

impl Sought {
    /// A file of this kind was looked for there, with this outcome.
    #[must_use]
    pub fn new(kind: SoughtKind, path: PathBuf, outcome: Result<(), Error>) -> Self {
        Self {
            kind,
            path,
            outcome,
        }
    }
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
    /// [`Cause::Damaged`] and where the file stands (nothing for bytes without a path).
    SymbolTable,
    /// A symbol file in a format of its own, of
    /// [`Options::symbol_files`](crate::Options::symbol_files).
    SymbolFile,
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
            Self::SymbolFile => "symbol file",
            Self::Index => "index",
        }
    }
}

/// What was looked for of one module, the first of it.
#[derive(Debug, Default)]
pub(crate) struct SoughtLog {
    all: Mutex<Vec<Sought>>,
    /// What was found, and too large.
    pub(crate) oversized: OversizedFiles,
    /// What was not found, or is damaged.
    pub(crate) shortfalls: Shortfalls,
}

impl SoughtLog {
    /// A module of ten thousand split units looks for each in three places.
    const MAX: usize = 1000;

    pub(crate) fn note(&self, kind: SoughtKind, path: PathBuf, outcome: Result<(), Error>) {
        let outcome = outcome.map_err(|error| error.or_path(Some(&path)));
        self.push(Sought {
            kind,
            path,
            outcome,
        });
    }

    /// Evicted files are opened again, with the same outcome: listed once.
    pub(crate) fn push(&self, new: Sought) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < Self::MAX && !all.contains(&new) {
            all.push(new);
        }
    }

    /// Notes what is wrong with a file and its symbol tables, once for each way of it.
    pub(crate) fn note_damage(&self, path: Option<PathBuf>, faults: Vec<Cause>, cut_off: bool) {
        let kind = match cut_off {
            true => Some(ShortfallKind::CutOff),
            false => (!faults.is_empty()).then_some(ShortfallKind::DamagedSymbols),
        };
        if let Some(kind) = kind {
            self.shortfalls.note(Shortfall::new(path.clone(), kind));
        }
        let path = path.unwrap_or_default();
        for fault in faults {
            self.push(Sought {
                kind: SoughtKind::SymbolTable,
                path: path.clone(),
                outcome: Err(Error::from(fault).or_path(Some(&path))),
            });
        }
    }

    /// Returns where files of this kind are that were looked for, and do not count for
    /// what they are, with one of these causes.
    pub(crate) fn refused(&self, kind: SoughtKind, which: fn(&Cause) -> bool) -> Vec<PathBuf> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = all.iter().filter(|sought| sought.kind == kind);
        let refused = refused.filter(|sought| match &sought.outcome {
            Ok(()) => false,
            Err(error) => match error.cause() {
                Cause::TooLarge { .. } | Cause::Oversized { .. } => false,
                cause => !cause.is_missing() && which(cause),
            },
        });
        refused.map(|sought| sought.path.clone()).collect()
    }

    pub(crate) fn list(&self) -> Vec<Sought> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
