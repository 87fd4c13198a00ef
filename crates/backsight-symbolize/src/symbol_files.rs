//! The symbol files that somebody named, found by build ID.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use backsight_files::Access;
use backsight_types::BuildId;

use crate::error::{Cause, Error};
use crate::limits::Limits;
use crate::symbol_catalog::{ListedSymbolFile, SymbolCatalog};
use crate::symbol_file::{SymbolFile, WeakSymbolFile};

/// Symbol files in formats of their own ([`SymbolFile`]), found by build ID: for
/// [`Options::symbol_files`](crate::Options::symbol_files).
///
/// A file is used only for a module of the build that it says it is of. Of two files that claim
/// the same build none is used.
///
/// Each path is a file, or a directory with files `*.sym` and `*.gsym`, or laid out as symbol
/// servers do: `NAME/DEBUG_ID/NAME.sym`. They are read when the first file is looked for.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use backsight_symbolize::{Options, SymbolFiles};
///
/// let files = Arc::new(SymbolFiles::new(["symbols", "program.gsym"]));
/// let options = Options::default().with_symbol_files(Arc::clone(&files));
/// // After lookups:
/// for problem in files.problems() {
///     eprintln!("{problem}");
/// }
/// ```
#[derive(Debug, Default)]
pub struct SymbolFiles {
    paths: Vec<PathBuf>,
    catalog: OnceLock<SymbolCatalog>,
    log: Mutex<FindingLog>,
}

/// What came of looking for files.
#[derive(Debug, Default)]
struct FindingLog {
    /// The places of those that were used, or that were refused with a problem.
    settled: HashSet<usize>,
    problems: Vec<Error>,
    /// Files that may still be open.
    open: HashMap<usize, WeakSymbolFile>,
    /// The first builds that were looked for, each once.
    asked: Vec<BuildId>,
    asked_others: usize,
}

/// Builds that are listed when a file is of none of them.
const MAX_LISTED_BUILDS: usize = 3;

/// Problems that are kept. With a store of thousands of damaged files, more would repeat the
/// same.
const MAX_PROBLEMS: usize = 64;

impl SymbolFiles {
    /// Takes the paths of files and directories, and reads none of them yet.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Opens the file of this build. `Ok(None)` when there is none.
    ///
    /// # Errors
    /// [`Cause::Ambiguous`] when two files claim it, and why the one that does cannot be read,
    /// or is of another build. [`problems`](Self::problems) has these, too.
    pub fn find(
        &self,
        id: &BuildId,
        access: Access,
        limits: &Limits,
    ) -> Result<Option<SymbolFile>, Error> {
        self.note_asked(id);
        let found = self.opened(id, access, limits);
        if let Err(error) = &found {
            let mut log = self.log();
            if log.problems.len() < MAX_PROBLEMS && !log.problems.contains(error) {
                log.problems.push(error.clone());
            }
        }
        found
    }

    /// Returns what was named and cannot be read, and what kept files from being used so far.
    #[must_use]
    pub fn problems(&self) -> Vec<Error> {
        let mut all = self.catalog().problems.clone();
        all.truncate(MAX_PROBLEMS);
        all.extend(self.log().problems.iter().cloned());
        all
    }

    /// Returns those that were named themselves, and are of none of the builds that were looked
    /// for so far: with both builds ([`Cause::OtherBuild`]).
    #[must_use]
    pub fn unused(&self) -> Vec<Error> {
        let log = self.log();
        let wanted = log.wanted();
        let all = self.catalog().files.iter().enumerate();
        let unused = all.filter(|(at, file)| file.is_named && !log.settled.contains(at));
        let unused = unused.filter_map(|(_, file)| {
            let (own, wanted) = (file.id().ok()?.to_string(), wanted.clone());
            let cause = Cause::OtherBuild { own, wanted };
            Some(Error::new("use", Some(&file.path), cause))
        });
        unused.collect()
    }

    fn opened(
        &self,
        id: &BuildId,
        access: Access,
        limits: &Limits,
    ) -> Result<Option<SymbolFile>, Error> {
        let catalog = self.catalog();
        let mut found: Option<(usize, &ListedSymbolFile)> = None;
        for at in catalog.candidates(id) {
            let Some(file) = catalog.files.get(at) else {
                continue;
            };
            match file.id() {
                Ok(own) if own.is_of(id) => {}
                // A directory is called by the debug ID, and the file in it is of another.
                Ok(own) if file.id.is_none() => {
                    return Err(other_build(&file.path, own.to_string(), id));
                }
                // The same debug ID, and another build ID.
                Ok(_) => continue,
                Err(error) => return Err(error),
            }
            self.log().settled.insert(at);
            match found {
                Some((_, first)) if !is_same_file(&first.path, &file.path) => {
                    let other = first.path.clone();
                    let cause = Cause::Ambiguous { other };
                    return Err(Error::new("use", Some(&file.path), cause));
                }
                Some(_) => {}
                None => found = Some((at, file)),
            }
        }
        let Some((number, file)) = found else {
            return Ok(None);
        };
        // Who unwinds stacks needs the same file as who names functions.
        let open = self
            .log()
            .open
            .get(&number)
            .and_then(WeakSymbolFile::upgrade);
        if open.is_some() {
            return Ok(open);
        }
        let opened = SymbolFile::open_by(&file.path, file.opened_by(), access, limits)?;
        // It may have been replaced meanwhile.
        match opened.is_of(id) {
            true => {
                self.log().open.insert(number, opened.downgrade());
                Ok(Some(opened))
            }
            false => Err(other_build(&file.path, "another build".to_owned(), id)),
        }
    }

    fn catalog(&self) -> &SymbolCatalog {
        self.catalog.get_or_init(|| SymbolCatalog::of(&self.paths))
    }

    fn note_asked(&self, id: &BuildId) {
        let mut log = self.log();
        if log.asked.contains(id) {
            return;
        }
        match log.asked.len() < MAX_LISTED_BUILDS {
            true => log.asked.push(*id),
            false => log.asked_others = log.asked_others.saturating_add(1),
        }
    }

    fn log(&self) -> MutexGuard<'_, FindingLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FindingLog {
    fn wanted(&self) -> String {
        let ids: Vec<String> = self.asked.iter().map(ToString::to_string).collect();
        match (ids.len(), self.asked_others) {
            (0, _) => "no module with a build ID".to_owned(),
            (_, 0) => format!("build ID {}", ids.join(", ")),
            (_, others) => format!("build ID {} and {others} others", ids.join(", ")),
        }
    }
}

fn other_build(path: &Path, own: String, id: &BuildId) -> Error {
    let wanted = format!("build ID {id}");
    Error::new("use", Some(path), Cause::OtherBuild { own, wanted })
}

/// A file may be named twice: itself, and by its directory or a link.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|one| identity(other) == Some(one))
}
