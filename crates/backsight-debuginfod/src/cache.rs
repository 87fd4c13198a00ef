//! The cache directory of fetched files.
//!
//! ```text
//!   DIR/77c7…4d/debuginfo             a file with this build ID
//!   DIR/77c7…4d/executable
//!   DIR/77c7…4d/debuginfo.absent      no server had it at the mtime of this file
//!   DIR/77c7…4d/debuginfo.part-…      the received part of a failed transfer
//!   DIR/locks/77                      the lock for files whose build ID starts with 77
//! ```
//!
//! The mtime of a file is the time of its last use. Files are added and removed only with
//! the lock, so that no file is removed while it is written.

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

/// The directory of locks. It cannot be confused with a build ID.
const LOCKS: &str = "locks";

/// The extension of a marker: no server has the file.
const ABSENT: &str = "absent";

/// The cache directory.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

/// One file of the cache, which may not exist.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    path: PathBuf,
}

/// The lock for the files of some build IDs, held until it is dropped.
pub(crate) type CacheLock = Flock<File>;

impl Cache {
    /// Uses a directory that only this user and root can change. It need not exist yet.
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

    /// Waits for the lock of the entry, which other threads and processes may hold, and
    /// creates its directory.
    pub(crate) fn lock(&self, entry: &CacheEntry) -> Result<CacheLock, FetchFault> {
        let folder = entry.folder();
        let lock = self.lock_of(folder, FlockArg::LockExclusive)?;
        make_dir(folder)?;
        Ok(lock)
    }

    /// Takes the lock, which all build IDs with the same first byte share.
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

    /// Removes markers that are older than `absent_for`, and the least recently used
    /// files until at most `limit` bytes are left. Files whose lock is held are kept,
    /// also if the caller holds it.
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

    /// Removes a file, and its directory if that is empty, unless the lock is held.
    fn remove(&self, path: &Path) -> bool {
        let Some(folder) = path.parent() else {
            return false;
        };
        let Ok(lock) = self.lock_of(folder, FlockArg::LockExclusiveNonblock) else {
            return false;
        };
        let removed = fs::remove_file(path).is_ok();
        // This fails if the directory has another file.
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

    /// Opens the file, and updates the time of its last use.
    pub(crate) fn open(&self) -> Option<File> {
        let file = File::open(&self.path).ok()?;
        // A read-only cache can be used, too.
        drop(file.set_modified(SystemTime::now()));
        Some(file)
    }

    /// Returns whether a marker says that no server had it, and is younger than this
    /// time.
    pub(crate) fn is_known_absent(&self, time: Duration) -> bool {
        is_younger(&self.absent(), time)
    }

    /// Creates the marker that no server has it.
    pub(crate) fn note_absent(&self) -> Result<(), FetchFault> {
        let path = self.absent();
        let made = File::create(&path).and_then(|file| file.set_modified(SystemTime::now()));
        made.map_err(|error| FetchFault::of_cache("create", &path, error))
    }

    /// Removes the marker that no server has it.
    pub(crate) fn note_present(&self) {
        // Usually there is no marker.
        drop(fs::remove_file(self.absent()));
    }

    fn absent(&self) -> PathBuf {
        self.path.with_extension(ABSENT)
    }
}

/// Returns whether a file exists and was changed less than this time ago. A time in the
/// future, from another clock, does not count.
fn is_younger(path: &Path, time: Duration) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    age.is_some_and(|age| age < time)
}

fn make_dir(dir: &Path) -> Result<(), FetchFault> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| FetchFault::of_cache("create", dir, error))
}

/// Returns the entries of a directory; none if it cannot be read.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}
