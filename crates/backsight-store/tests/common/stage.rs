//! A store, and files to add.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_store::{AddOptions, AddOutcome, Store, StoreError};
use tempfile::TempDir;

/// A store, and a directory of files to add.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("store"));
        fs::create_dir(dir.path().join("files")).unwrap();
        Self { dir, store }
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join("files").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn add(&self, path: &Path) -> Vec<(PathBuf, AddOutcome)> {
        self.add_with(path, &AddOptions::default()).unwrap()
    }

    pub(crate) fn add_with(
        &self,
        path: &Path,
        options: &AddOptions,
    ) -> Result<Vec<(PathBuf, AddOutcome)>, StoreError> {
        let mut all = Vec::new();
        self.store.add(path, options, &mut |path, outcome| {
            all.push((path.to_owned(), outcome));
        })?;
        Ok(all)
    }

    pub(crate) fn add_one(&self, path: &Path) -> AddOutcome {
        let mut all = self.add(path);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].0, path);
        all.remove(0).1
    }

    /// Returns the paths of all files in the store, without records.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut dirs = vec![self.store.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.store.path()).unwrap();
                let name = name.to_str().unwrap().to_owned();
                match path.symlink_metadata().unwrap().is_dir() {
                    true if name != ".backsight-store" => dirs.push(path),
                    true => {}
                    false => names.push(name),
                }
            }
        }
        names.sort();
        names
    }

    pub(crate) fn records(&self) -> usize {
        let entries = fs::read_dir(self.store.path().join(".backsight-store"));
        let names = entries.unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name != "lock").count()
    }

    /// Sets how long ago a file of the store, which has this name, was last used.
    pub(crate) fn set_used(&self, name: &str, ago: Duration) {
        let path = self.store.path().join(name);
        let then = SystemTime::now() - ago;
        let file = fs::File::open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        let times = fs::FileTimes::new()
            .set_accessed(then)
            .set_modified(modified);
        file.set_times(times).unwrap();
        for entry in fs::read_dir(self.store.path().join(".backsight-store")).unwrap() {
            let path = entry.unwrap().path();
            let record = path.file_name().unwrap().to_str().unwrap();
            let digits: String = name.chars().filter(char::is_ascii_hexdigit).collect();
            if record.len() > 8 && digits.contains(&record[..8]) {
                fs::File::open(&path).unwrap().set_modified(then).unwrap();
            }
        }
    }
}
