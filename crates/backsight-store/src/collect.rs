//! Removes the least recently used files.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::directory::{Recorded, RecordedState, StoreDir};
use crate::error::StoreError;
use crate::place::{BUILD_IDS, StorePlace};
use crate::record::Record;
use crate::store::Store;
use crate::stored::StoredFile;

/// An unfinished copy that is older than this was left behind by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What was removed from the store, and what was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// The files that were removed, the least recently used first.
    pub removed: Vec<StoredFile>,
    /// How many files were kept.
    pub kept_files: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Files that were added and are others now, which were kept and not counted: replaced, or
    /// written to.
    pub altered: Vec<PathBuf>,
    /// How many files were gone, and are now forgotten.
    pub forgotten: u64,
    /// Unfinished copies of killed processes, which were removed.
    pub abandoned: u64,
    /// What could not be removed or read.
    pub failed: Vec<StoreError>,
}

impl Store {
    /// Removes the least recently used files until the others have at most `limit` bytes
    /// together. Only files that were added to this store, and did not change since, are counted
    /// and removed.
    ///
    /// A hard link frees no space as long as the file has another name.
    ///
    /// # Errors
    /// When the store cannot be read, or others can change it, or another process changes it
    /// just now. One that does not exist is empty.
    pub fn collect(&self, limit: u64) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        let Some(dir) = StoreDir::open(self.path())? else {
            return Ok(collected);
        };
        let _lock = dir.lock()?;
        let mut kept: Vec<(StoredFile, StorePlace, Record)> = Vec::new();
        for recorded in dir.records()? {
            match recorded {
                Ok(Recorded {
                    place,
                    record,
                    state: RecordedState::Kept(file),
                }) => kept.push((file, place, record)),
                Ok(Recorded {
                    place,
                    state: RecordedState::Altered,
                    ..
                }) => collected.altered.push(dir.path_of(&place.path)),
                Ok(Recorded { place, record, .. }) => {
                    collected.forgotten = collected.forgotten.saturating_add(1);
                    let forgotten = forget(&dir, &place, &record);
                    collected.failed.extend(forgotten.err());
                }
                Err(error) => collected.failed.push(error),
            }
        }
        kept.sort_by(|(one, ..), (other, ..)| {
            (one.last_used, &one.path).cmp(&(other.last_used, &other.path))
        });
        let bytes = kept.iter().map(|(file, ..)| file.bytes);
        let mut total = bytes.fold(0, u64::saturating_add);
        for (file, place, record) in kept {
            let removed = match total > limit {
                true => remove(&dir, &file.path, &place, &record),
                false => Ok(false),
            };
            match removed {
                Ok(true) => {
                    total = total.saturating_sub(file.bytes);
                    collected.removed.push(file);
                    continue;
                }
                Ok(false) => {}
                Err(error) => collected.failed.push(error),
            }
            collected.kept_files = collected.kept_files.saturating_add(1);
        }
        collected.kept_bytes = total;
        remove_abandoned(&dir, &mut collected);
        Ok(collected)
    }
}

/// Removes a file, the link to it and its record. Returns true also if it was gone already.
fn remove(
    dir: &StoreDir,
    path: &Path,
    place: &StorePlace,
    record: &Record,
) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::of_file("remove", path, error));
        }
        _ => {}
    }
    forget(dir, place, record)?;
    Ok(true)
}

/// Removes the link to a file that is gone, its record, and directories that are empty now.
fn forget(dir: &StoreDir, place: &StorePlace, record: &Record) -> Result<(), StoreError> {
    let debug = dir.path_of(&place.debug_path());
    let leads_to_it = || {
        let target = fs::read_link(&debug);
        target.is_ok_and(|target| Some(target.as_os_str()) == place.path.file_name())
    };
    if record.has_debug_link && leads_to_it() {
        let removed = fs::remove_file(&debug);
        removed.map_err(|error| StoreError::of_file("remove", &debug, error))?;
    }
    dir.remove_record(place)?;
    for parent in place.path.ancestors().skip(1) {
        // It fails while there is another file.
        if parent.as_os_str().is_empty() || fs::remove_dir(dir.path_of(parent)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Removes unfinished copies (`.NAME.PID-N.part`) that killed processes left behind, on
/// filesystems where an unfinished file has a name.
fn remove_abandoned(dir: &StoreDir, collected: &mut Collected) {
    let now = SystemTime::now();
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    for folder in entries(&dir.path_of(Path::new(BUILD_IDS))) {
        for entry in entries(&folder.path()) {
            let path = entry.path();
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            let age = metadata.modified().ok();
            let age = age.and_then(|modified| now.duration_since(modified).ok());
            let is_old = age.is_some_and(|age| age > ABANDONED);
            if is_old && metadata.is_file() && is_unfinished(&entry.file_name()) {
                match fs::remove_file(&path) {
                    Ok(()) => collected.abandoned = collected.abandoned.saturating_add(1),
                    Err(error) => {
                        let failed = StoreError::of_file("remove", &path, error);
                        collected.failed.push(failed);
                    }
                }
            }
        }
    }
}

/// Returns whether this is the name of an unfinished copy of a file by build ID.
fn is_unfinished(name: &OsStr) -> bool {
    let parts = || {
        let name = name.to_str()?.strip_prefix('.')?.strip_suffix(".part")?;
        let (file, number) = name.rsplit_once('.')?;
        let (pid, count) = number.split_once('-')?;
        Some((file.strip_suffix(".debug").unwrap_or(file), pid, count))
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let is_hex = |text: &str| {
        let is_digit = |it| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        !text.is_empty() && text.bytes().all(is_digit)
    };
    parts().is_some_and(|(file, pid, count)| is_hex(file) && is_number(pid) && is_number(count))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::is_unfinished;

    #[test]
    fn unfinished_copies_are_told_from_others() {
        for name in [".c7aa.12-0.part", ".c7aa.debug.12-34.part"] {
            assert!(is_unfinished(OsStr::new(name)), "{name}");
        }
        for name in [
            "c7aa",
            "c7aa.debug",
            ".x.12-0.part",
            ".c7aa.part",
            ".c7aa.1-.part",
            ".part",
        ] {
            assert!(!is_unfinished(OsStr::new(name)), "{name}");
        }
    }
}
