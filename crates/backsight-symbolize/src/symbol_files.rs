//! The symbol files that somebody named, found by build ID.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use backsight_files::{Access, By};
use backsight_types::BuildId;

use crate::error::{Cause, Error};
use crate::limits::Limits;
use crate::symbol_catalog::{ListedSymbolFile, SymbolCatalog};
use crate::symbol_file::{SymbolFile, WeakSymbolFile};
use crate::symbol_file_id::SymbolFileId;

/// Symbol files in formats of their own ([`SymbolFile`]), found by build ID: for
/// [`Options::symbol_files`](crate::Options::symbol_files).
///
/// A file is used only for a module of the build that it says it is of; one that contradicts
/// itself is used for none. Of two files that claim the same build, the one with the whole build
/// ID is used rather than one with a debug ID alone, and then GSYM rather than Breakpad's format:
/// it has the names that linkers know. Of two in one format none is, unless one is a copy of the
/// other.
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
    /// A directory whose files are used only where no other has the build.
    store: Option<PathBuf>,
    catalog: OnceLock<SymbolCatalog>,
    log: Mutex<FindingLog>,
}

/// What came of looking for files.
#[derive(Debug, Default)]
struct FindingLog {
    /// The places of those that were used, or that were refused with a problem.
    settled: HashSet<usize>,
    problems: Vec<Error>,
    /// How many more problems there were.
    other_problems: usize,
    /// Files that may still be open.
    open: HashMap<usize, WeakSymbolFile>,
    /// The first builds that were looked for, each once.
    asked: Vec<BuildId>,
    asked_others: usize,
}

/// A file that claims the build that is looked for.
#[derive(Clone, Copy, Debug)]
struct ProvenFile<'c> {
    at: usize,
    file: &'c ListedSymbolFile,
    /// Whether it has the whole build ID.
    is_whole: bool,
    is_gsym: bool,
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

    /// With a directory that nobody named, such as a store: its files are used for builds of which
    /// no file was named, and it may have none or not exist.
    #[must_use]
    pub fn with_store(self, directory: impl Into<PathBuf>) -> Self {
        Self {
            store: Some(directory.into()),
            ..self
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
            self.note_problem(error.clone());
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

    /// Returns how many problems there are beside those that [`problems`](Self::problems)
    /// lists.
    #[must_use]
    pub fn other_problems(&self) -> usize {
        let of_paths = self.catalog().problems.len().saturating_sub(MAX_PROBLEMS);
        self.log().other_problems.saturating_add(of_paths)
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
        let Some((number, file)) = self.chosen(id)? else {
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

    /// Returns the file that is used for this build, and its place in the catalog. Why
    /// others are not is a problem.
    fn chosen(&self, id: &BuildId) -> Result<Option<(usize, &ListedSymbolFile)>, Error> {
        let catalog = self.catalog();
        let mut found: Vec<ProvenFile<'_>> = Vec::new();
        let mut refused = Vec::new();
        for at in catalog.candidates(id) {
            let Some(file) = catalog.files.get(at) else {
                continue;
            };
            let own = match file.id() {
                Ok(own) if own.is_of(id) => own,
                // A directory is called by the debug ID, and the file in it is of another.
                Ok(own) if file.id.is_none() => {
                    refused.push(other_build(&file.path, own.to_string(), id));
                    continue;
                }
                // The same debug ID, and another build ID.
                Ok(_) => continue,
                Err(error) => {
                    refused.push(error);
                    continue;
                }
            };
            self.log().settled.insert(at);
            found.push(ProvenFile {
                at,
                file,
                is_whole: own.has_build_id(),
                is_gsym: matches!(own, SymbolFileId::Gsym(_)),
            });
        }
        // What somebody named is preferred.
        if found.iter().any(|one| !catalog.is_of_store(one.at)) {
            found.retain(|one| !catalog.is_of_store(one.at));
        }
        // The whole build ID proves more than a debug ID. Then the format counts, and then the
        // order in which they were named.
        found.sort_by_key(|one| (!one.is_whole, !one.is_gsym, one.at));
        let Some((first, others)) = found.split_first() else {
            return refused.into_iter().next().map_or(Ok(None), Err);
        };
        refused
            .into_iter()
            .for_each(|error| self.note_problem(error));
        for other in others {
            if is_same_file(&first.file.path, &other.file.path) {
                continue;
            }
            let path = first.file.path.clone();
            if first.is_whole && !other.is_whole {
                let cause = Cause::LessProven { other: path };
                self.note_problem(Error::new("use", Some(&other.file.path), cause));
                continue;
            }
            if first.is_gsym != other.is_gsym {
                continue;
            }
            let cause = Cause::Ambiguous { other: path };
            return Err(Error::new("use", Some(&other.file.path), cause));
        }
        Ok(Some((first.at, first.file)))
    }

    fn note_problem(&self, problem: Error) {
        let mut log = self.log();
        if log.problems.contains(&problem) {
            return;
        }
        match log.problems.len() < MAX_PROBLEMS {
            true => log.problems.push(problem),
            false => log.other_problems = log.other_problems.saturating_add(1),
        }
    }

    fn catalog(&self) -> &SymbolCatalog {
        self.catalog
            .get_or_init(|| SymbolCatalog::of(&self.paths, self.store.as_deref()))
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

/// A file may be named twice: itself, and by its directory or a link. A copy of it says the
/// same.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let (Ok(one_file), Ok(other_file)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    let identity = |file: &Metadata| (file.dev(), file.ino());
    identity(&one_file) == identity(&other_file)
        || (one_file.len() == other_file.len() && have_same_bytes(one, other).unwrap_or(false))
}

fn have_same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path: &Path| {
        let file = backsight_files::open(path, By::Folder).map_err(io::Error::other)?;
        Ok::<_, io::Error>(BufReader::with_capacity(1 << 16, file))
    };
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let count = left.len().min(right.len());
        if count == 0 {
            return Ok(left.len() == right.len());
        }
        if left.get(..count) != right.get(..count) {
            return Ok(false);
        }
        one.consume(count);
        other.consume(count);
    }
}
