//! The directory that fetched files are kept in.
//!
//! ```text
//!   DIR/77c7…4d/debuginfo             a file of this build ID
//!   DIR/77c7…4d/executable
//!   DIR/77c7…4d/debuginfo.absent      no server had it at this file's time of change
//!   DIR/77c7…4d/debuginfo.lock        held by whoever asks for it now
//!   DIR/77c7…4d/debuginfo.part-…      what came of a transfer that failed
//! ```
//!
//! The time of change of a file is when it was last used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_files::only_we_can_change;
use backsight_types::BuildId;
use nix::fcntl::{Flock, FlockArg};

use crate::fault::Fault;
use crate::file_kind::FileKind;

/// The directory. It is not looked at before the first file.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

/// One file of the cache, there or not.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    path: PathBuf,
}

impl Cache {
    /// Takes a directory that only this user and root can change, if it is there.
    pub(crate) fn new(dir: PathBuf) -> Result<Self, Fault> {
        match fs::metadata(&dir) {
            Ok(metadata) if !only_we_can_change(&metadata) => Err(Fault::CacheOfOthers(dir)),
            Ok(metadata) if !metadata.is_dir() => {
                Err(failed(dir, io::ErrorKind::NotADirectory.into()))
            }
            Ok(_) => Ok(Self { dir }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { dir }),
            Err(error) => Err(failed(dir, error)),
        }
    }

    pub(crate) fn entry(&self, id: &BuildId, kind: FileKind) -> CacheEntry {
        CacheEntry {
            path: self.dir.join(id.to_string()).join(kind.name()),
        }
    }

    /// Removes the files that were not used for longest, until `limit` bytes are left. `but`
    /// stays.
    pub(crate) fn trim(&self, limit: u64, but: &CacheEntry) {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for folder in entries(&self.dir) {
            for path in entries(&folder) {
                if let Ok(metadata) = fs::symlink_metadata(&path)
                    && metadata.is_file()
                {
                    let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.push((used, metadata.len(), path));
                }
            }
        }
        files.sort_unstable();
        let sizes = files.iter().map(|(_, size, _)| *size);
        let mut total = sizes.fold(0_u64, u64::saturating_add);
        for (_, size, path) in files {
            if total <= limit {
                break;
            }
            // A lock may be held; a marker is no burden.
            if size > 0 && path != but.path && fs::remove_file(&path).is_ok() {
                total = total.saturating_sub(size);
            }
        }
    }
}

impl CacheEntry {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, and notes that it is used.
    pub(crate) fn open(&self) -> Option<File> {
        let file = File::open(&self.path).ok()?;
        // A cache that cannot be written to is read all the same.
        drop(file.set_modified(SystemTime::now()));
        Some(file)
    }

    /// Waits until nobody else asks for the file, in this process or another, and keeps
    /// others from it until the result is dropped. Makes the directories.
    pub(crate) fn lock(&self) -> Result<Flock<File>, Fault> {
        if let Some(folder) = self.path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| failed(folder.to_owned(), error))?;
        }
        let path = self.path.with_extension("lock");
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = opened.map_err(|error| failed(path.clone(), error))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| failed(path, io::Error::from(errno)))
    }

    /// Whether no server had it less than this time ago.
    pub(crate) fn is_known_absent(&self, time: Duration) -> bool {
        let noted = fs::metadata(self.absent()).and_then(|metadata| metadata.modified());
        // A time in the future is of another clock, and counts for nothing.
        let age = noted.ok().and_then(|noted| noted.elapsed().ok());
        age.is_some_and(|age| age < time)
    }

    /// Notes that no server has it now.
    pub(crate) fn note_absent(&self) -> Result<(), Fault> {
        let path = self.absent();
        let made = File::create(&path).and_then(|file| file.set_modified(SystemTime::now()));
        made.map_err(|error| failed(path, error))
    }

    /// Forgets that no server had it.
    pub(crate) fn note_present(&self) {
        // Most often there is no such note.
        drop(fs::remove_file(self.absent()));
    }

    fn absent(&self) -> PathBuf {
        self.path.with_extension("absent")
    }
}

/// Returns what is in a directory; nothing when it cannot be read.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

fn failed(path: PathBuf, error: io::Error) -> Fault {
    Fault::Cache {
        path,
        error: error.into(),
    }
}
