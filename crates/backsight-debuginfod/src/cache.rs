//! The directory that fetched files are kept in.
//!
//! ```text
//!   DIR/77c7…4d/debuginfo             a file of this build ID
//!   DIR/77c7…4d/executable
//!   DIR/77c7…4d/debuginfo.absent      no server had it at this file's time of change
//!   DIR/77c7…4d/debuginfo.part-…      what came of a transfer that failed
//!   DIR/locks/77                      held by whoever changes files of such build IDs
//! ```
//!
//! The time of change of a file is when it was last used. Nothing is added or removed without
//! the lock, so that no file is removed while somebody writes it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_files::only_we_can_change;
use backsight_types::BuildId;
use nix::fcntl::{Flock, FlockArg};

use crate::fault::FetchFault;
use crate::file_kind::FileKind;

/// The directory of locks: no build ID is written so.
const LOCKS: &str = "locks";

/// The extension of a note that no server has a file.
const ABSENT: &str = "absent";

/// The directory.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

/// One file of the cache, there or not.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    path: PathBuf,
}

/// The right to change files of some build IDs, until it is dropped.
pub(crate) type CacheLock = Flock<File>;

impl Cache {
    /// Takes a directory that only this user and root can change, if it is there.
    pub(crate) fn new(dir: PathBuf) -> Result<Self, FetchFault> {
        match fs::metadata(&dir) {
            Ok(metadata) if !only_we_can_change(&metadata) => Err(FetchFault::CacheOfOthers(dir)),
            Ok(metadata) if !metadata.is_dir() => Err(FetchFault::of_cache(
                "open",
                &dir,
                io::ErrorKind::NotADirectory.into(),
            )),
            Ok(_) => Ok(Self { dir }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { dir }),
            Err(error) => Err(FetchFault::of_cache("stat", &dir, error)),
        }
    }

    pub(crate) fn entry(&self, id: &BuildId, kind: FileKind) -> CacheEntry {
        CacheEntry {
            path: self.dir.join(id.to_string()).join(kind.name()),
        }
    }

    /// Waits until nobody else changes files of such build IDs, in this process or another,
    /// and makes the directory of the entry.
    pub(crate) fn lock(&self, entry: &CacheEntry) -> Result<CacheLock, FetchFault> {
        let folder = entry.folder();
        let lock = self.lock_of(folder, FlockArg::LockExclusive)?;
        make_dir(folder)?;
        Ok(lock)
    }

    /// One lock for all build IDs with the same first byte.
    fn lock_of(&self, folder: &Path, how: FlockArg) -> Result<CacheLock, FetchFault> {
        let locks = self.dir.join(LOCKS);
        make_dir(&locks)?;
        let id = folder.file_name().and_then(OsStr::to_str);
        let path = locks.join(id.and_then(|id| id.get(..2)).unwrap_or(LOCKS));
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = opened.map_err(|error| FetchFault::of_cache("open", &path, error))?;
        Flock::lock(file, how)
            .map_err(|(_, errno)| FetchFault::of_cache("lock", &path, errno.into()))
    }

    /// Removes notes that are older than `absent_for`, and the files that were not used for
    /// longest, until `limit` bytes are left. What somebody changes just now stays, and so do
    /// files of the locks that the caller holds.
    pub(crate) fn trim(&self, limit: u64, absent_for: Duration) {
        let folders = entries(&self.dir).into_iter();
        let folders = folders.filter(|folder| !folder.ends_with(LOCKS));
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for path in folders.flat_map(|folder| entries(&folder)) {
            let Some(metadata) = fs::symlink_metadata(&path)
                .ok()
                .filter(fs::Metadata::is_file)
            else {
                continue;
            };
            if path.extension() != Some(OsStr::new(ABSENT)) {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((used, metadata.len(), path));
            } else if !is_younger(&path, absent_for) {
                self.remove(&path);
            }
        }
        files.sort_unstable();
        let sizes = files.iter().map(|(_, size, _)| *size);
        let mut total = sizes.fold(0_u64, u64::saturating_add);
        for (_, size, path) in files {
            if total <= limit {
                break;
            }
            if self.remove(&path) {
                total = total.saturating_sub(size);
            }
        }
    }

    /// Removes a file, and its directory when that is empty, unless somebody changes it.
    fn remove(&self, path: &Path) -> bool {
        let Some(folder) = path.parent() else {
            return false;
        };
        let Ok(lock) = self.lock_of(folder, FlockArg::LockExclusiveNonblock) else {
            return false;
        };
        let removed = fs::remove_file(path).is_ok();
        // It fails while there is another file.
        drop(fs::remove_dir(folder));
        drop(lock);
        removed
    }
}

impl CacheEntry {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Opens the file, and notes that it is used.
    pub(crate) fn open(&self) -> Option<File> {
        let file = File::open(&self.path).ok()?;
        // A cache that cannot be written to is read all the same.
        drop(file.set_modified(SystemTime::now()));
        Some(file)
    }

    /// Whether no server had it less than this time ago.
    pub(crate) fn is_known_absent(&self, time: Duration) -> bool {
        is_younger(&self.absent(), time)
    }

    /// Notes that no server has it now.
    pub(crate) fn note_absent(&self) -> Result<(), FetchFault> {
        let path = self.absent();
        let made = File::create(&path).and_then(|file| file.set_modified(SystemTime::now()));
        made.map_err(|error| FetchFault::of_cache("create", &path, error))
    }

    /// Forgets that no server had it.
    pub(crate) fn note_present(&self) {
        // Most often there is no such note.
        drop(fs::remove_file(self.absent()));
    }

    fn absent(&self) -> PathBuf {
        self.path.with_extension(ABSENT)
    }
}

/// Whether a file is there and was changed less than this time ago. A time in the future is
/// of another clock, and counts for nothing.
fn is_younger(path: &Path, time: Duration) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    age.is_some_and(|age| age < time)
}

fn make_dir(dir: &Path) -> Result<(), FetchFault> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| FetchFault::of_cache("create", dir, error))
}

/// Returns what is in a directory; nothing when it cannot be read.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}
