//! What is in the store.

use std::fs;
use std::path::{Path, PathBuf};

use crate::directory::{RecordedState, StoreDir};
use crate::error::StoreError;
use crate::place::BUILD_IDS;
use crate::store::Store;
use crate::stored::StoredFile;

/// What is in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreListing {
    /// The files that were added, the least recently used first: the order in which they would
    /// be removed.
    pub files: Vec<StoredFile>,
    /// Files that were added and are others now: replaced, or written to. They are never
    /// removed.
    pub altered: Vec<PathBuf>,
    /// How many files that were added are gone.
    pub missing: u64,
    /// How many other names there are in `.build-id`, which were not added.
    pub others: u64,
    /// Records and directories that cannot be read.
    pub unreadable: Vec<StoreError>,
}

impl StoreListing {
    /// Returns the bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = self.files.iter().map(|file| file.bytes);
        bytes.fold(0, u64::saturating_add)
    }
}

impl Store {
    /// Lists what is in the store. No file is opened, so that listing is not a use of them.
    ///
    /// # Errors
    /// When the store cannot be read, or others can change it. One that does not exist is empty.
    pub fn list(&self) -> Result<StoreListing, StoreError> {
        let mut listing = StoreListing::default();
        let records = match StoreDir::open(self.path())? {
            Some(dir) => dir.records()?,
            None => Vec::new(),
        };
        // The names in `.build-id` that are accounted for.
        let mut own: u64 = 0;
        for recorded in records {
            let recorded = match recorded {
                Ok(recorded) => recorded,
                Err(error) => {
                    listing.unreadable.push(error);
                    continue;
                }
            };
            let path = self.path().join(&recorded.place.path);
            let debug = self.path().join(recorded.place.debug_path());
            let is_by_build_id = recorded.place.path.starts_with(BUILD_IDS);
            let has_link = recorded.record.has_debug_link && debug.is_symlink();
            match recorded.state {
                RecordedState::Kept(file) => listing.files.push(file),
                RecordedState::Altered => listing.altered.push(path),
                RecordedState::Missing => {
                    listing.missing = listing.missing.saturating_add(1);
                    own = own.saturating_add(u64::from(has_link));
                    continue;
                }
            }
            let names = u64::from(is_by_build_id).saturating_add(u64::from(has_link));
            own = own.saturating_add(names);
        }
        let names = count_names(&self.path().join(BUILD_IDS), &mut listing.unreadable);
        listing.others = names.saturating_sub(own);
        listing
            .files
            .sort_by(|one, other| (one.last_used, &one.path).cmp(&(other.last_used, &other.path)));
        Ok(listing)
    }
}

/// Counts the names in the directories of a `.build-id`.
fn count_names(dir: &Path, unreadable: &mut Vec<StoreError>) -> u64 {
    let mut count: u64 = 0;
    for subdirectory in names(dir, unreadable) {
        if subdirectory.is_dir() {
            let inner = names(&subdirectory, unreadable).len();
            count = count.saturating_add(u64::try_from(inner).unwrap_or(u64::MAX));
        }
    }
    count
}

fn names(dir: &Path, unreadable: &mut Vec<StoreError>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            unreadable.push(StoreError::of_file("list", dir, error));
            return Vec::new();
        }
    };
    entries.flatten().map(|entry| entry.path()).collect()
}
