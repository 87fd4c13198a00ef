//! Which symbol files there are in files and directories that somebody named.
//!
//! ```text
//!   FILE                            its first bytes tell the build
//!   DIR/x.sym, DIR/x.gsym           so they do here
//!   DIR/NAME/DEBUG_ID/x.sym         as symbol servers and dump_syms --store lay them out
//! ```

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use backsight_files::By;
use backsight_types::{BuildId, DebugId};

use crate::error::{Cause, Error};
use crate::symbol_file_id::SymbolFileId;

/// Names that are read of all directories together. A server's store of ten thousand modules
/// has three times as many.
const MAX_NAMES: usize = 1 << 20;

/// A symbol file.
#[derive(Clone, Debug)]
pub(crate) struct ListedSymbolFile {
    pub(crate) path: PathBuf,
    /// Whether somebody named the file itself.
    pub(crate) is_named: bool,
    /// What its first bytes say, if they were read.
    pub(crate) id: Option<SymbolFileId>,
}

impl ListedSymbolFile {
    /// Returns which build it is of.
    pub(crate) fn id(&self) -> Result<SymbolFileId, Error> {
        match &self.id {
            Some(id) => Ok(id.clone()),
            None => read_id(&self.path, self.opened_by()),
        }
    }

    pub(crate) fn opened_by(&self) -> By {
        match self.is_named {
            true => By::Caller,
            false => By::Folder,
        }
    }
}

/// All of them, by debug ID.
#[derive(Debug, Default)]
pub(crate) struct SymbolCatalog {
    pub(crate) files: Vec<ListedSymbolFile>,
    by_id: HashMap<DebugId, Vec<usize>>,
    /// What was named and cannot be used.
    pub(crate) problems: Vec<Error>,
    names: usize,
    /// How many files are not of the store: they come first.
    named: usize,
}

impl SymbolCatalog {
    /// Reads which files there are.
    pub(crate) fn of(paths: &[PathBuf], store: Option<&Path>) -> Self {
        let mut catalog = Self::default();
        for path in paths {
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => {
                    let before = (catalog.files.len(), catalog.problems.len());
                    catalog.add_directory(path);
                    if before == (catalog.files.len(), catalog.problems.len()) {
                        let none = Error::new("use", Some(path), Cause::NoSymbolFiles);
                        catalog.problems.push(none);
                    }
                }
                Ok(_) => catalog.add_file(path, true),
                Err(error) => catalog.problems.push(Error::new("open", Some(path), error)),
            }
        }
        catalog.named = catalog.files.len();
        if let Some(store) = store.filter(|store| store.is_dir()) {
            catalog.add_directory(store);
        }
        catalog
    }

    /// Whether this is a file of the store, which nobody named.
    pub(crate) fn is_of_store(&self, at: usize) -> bool {
        at >= self.named
    }

    /// Returns the places of those that can be of this build, as far as debug IDs tell.
    pub(crate) fn candidates(&self, id: &BuildId) -> impl Iterator<Item = usize> {
        let ids = DebugId::of_build_id(id).into_iter();
        let found = ids.flat_map(|id| self.by_id.get(&id).into_iter().flatten());
        found.copied()
    }

    fn add_file(&mut self, path: &Path, is_named: bool) {
        let opened_by = match is_named {
            true => By::Caller,
            false => By::Folder,
        };
        match read_id(path, opened_by) {
            Ok(id) => {
                let debug_id = id.debug_id();
                self.push(path, is_named, Some(id), debug_id);
            }
            Err(error) => self.problems.push(error),
        }
    }

    fn push(
        &mut self,
        path: &Path,
        is_named: bool,
        id: Option<SymbolFileId>,
        debug_id: Option<DebugId>,
    ) {
        let at = self.files.len();
        self.files.push(ListedSymbolFile {
            path: path.to_owned(),
            is_named,
            id,
        });
        if let Some(debug_id) = debug_id {
            self.by_id.entry(debug_id).or_default().push(at);
        }
    }

    fn add_directory(&mut self, dir: &Path) {
        for path in self.names_in(dir) {
            if fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                for inner in self.names_in(&path) {
                    self.add_build(&inner);
                }
            } else if has_ending(&path, &["sym", "gsym"]) {
                self.add_file(&path, false);
            }
        }
    }

    /// The directory of one build of a module. Its files are not opened yet: a server's store
    /// has many.
    fn add_build(&mut self, dir: &Path) {
        let id = dir.file_name().and_then(OsStr::to_str);
        let Some(id) = id.and_then(|id| id.parse().ok()) else {
            return;
        };
        for path in self.names_in(dir) {
            if has_ending(&path, &["sym"]) {
                self.push(&path, false, None, Some(id));
            }
        }
    }

    /// Returns the paths in a directory, sorted.
    fn names_in(&mut self, dir: &Path) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let listed = fs::read_dir(dir).and_then(|all| {
            for entry in all {
                if self.names >= MAX_NAMES {
                    let words = "more files than are looked at: name the directories that matter";
                    return Err(io::Error::other(words));
                }
                self.names = self.names.saturating_add(1);
                paths.push(entry?.path());
            }
            Ok(())
        });
        if let Err(error) = listed {
            self.problems.push(Error::new("read", Some(dir), error));
        }
        paths.sort_unstable();
        paths
    }
}

fn read_id(path: &Path, opened_by: By) -> Result<SymbolFileId, Error> {
    let file = backsight_files::open(path, opened_by)?;
    SymbolFileId::read(&file).map_err(|cause| Error::new("read", Some(path), cause))
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| endings.contains(&ending))
}
