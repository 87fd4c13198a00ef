//! A store of debug files by build ID, as a server is one.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_elf::Headers;
use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use backsight_types::BuildId;

/// The files below a directory, by their build IDs.
#[derive(Debug, Default)]
pub(crate) struct Store(HashMap<BuildId, PathBuf>);

impl Store {
    /// Takes in all files below the directory.
    pub(crate) fn of(dir: &Path) -> Self {
        let mut store = Self::default();
        store.take_in(dir);
        store
    }

    fn take_in(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.take_in(&path);
            } else if let Ok(headers) = Headers::read(File::open(&path).expect("readable")) {
                self.0.extend(headers.build_id.map(|id| (id, path)));
            }
        }
    }
}

impl Fetch for Store {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let path = self.0.get(wanted.build_id);
        // What it has are no modules.
        let path = path.filter(|_| wanted.kind != SoughtKind::Module);
        let open = |path: &PathBuf| Fetched::new(File::open(path).expect("readable"), path);
        Ok(path.map(open))
    }
}
