//! The cache directory of fetched files.
//!
//! ```text
//!   DIR/77c7…4d/debuginfo             a file with this build ID
//!   DIR/77c7…4d/executable
//!   DIR/77c7…4d/source-%2Fsrc%2Fa%2Ec   a source file of that program
//!   DIR/77c7…4d/debuginfo.absent      the servers that did not have it, and when they were asked
//!   DIR/77c7…4d/debuginfo.part-…      the received part of a failed transfer
//!   DIR/locks/77                      the lock for files whose build ID starts with 77
//! ```
//!
//! The mtime of a file is the time of its last use. Files are added and removed only with
//! the lock, so that no file is removed while it is written.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_elf::ElfContents;
use backsight_files::{By, only_root_or_user_can_write};
use backsight_types::BuildId;
use nix::fcntl::{Flock, FlockArg};

use crate::fault::FetchFault;
use crate::file_kind::FileKind;
use crate::wanted_file::WantedFile;

/// The directory of locks. It cannot be confused with a build ID.
const LOCKS: &str = "locks";

/// The extension of a marker: some servers do not have the file.
const ABSENT: &str = "absent";

/// How the extension of the received part of a file begins.
pub(crate) const PART: &str = "part-";

/// The cache directory.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

/// One file of the cache, which may not exist.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    path: PathBuf,
    /// The build ID that the file must have. Source files carry none.
    id: Option<BuildId>,
}

/// What the cache has in the place of a file.
#[derive(Debug)]
pub(crate) enum Kept {
    /// The file.
    Sound(File),
    /// Something else: a file of another build, a part of a file, or no regular file.
    Damaged,
    /// Nothing.
    Nothing,
}

/// The lock for the files of some build IDs, held until it is dropped.
pub(crate) type CacheLock = Flock<File>;

impl Cache {
    /// Uses a directory that only this user and root can change. It need not exist yet.
    pub(crate) fn new(dir: PathBuf) -> Result<Self, FetchFault> {
        match fs::metadata(&dir) {
            Ok(metadata) if !only_root_or_user_can_write(&metadata) => {
                Err(FetchFault::CacheOfOthers(dir))
            }
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

    pub(crate) fn entry(&self, id: &BuildId, wanted: &WantedFile) -> CacheEntry {
        CacheEntry {
            path: self.dir.join(id.to_string()).join(wanted.name()),
            id: (wanted.kind != FileKind::Source).then_some(*id),
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
        // Others may keep files in the same directory.
        let folders = folders.filter(|folder| {
            let name = folder.file_name().and_then(OsStr::to_str);
            name.is_some_and(|name| name.parse::<BuildId>().is_ok())
        });
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        let files_of = |folder: PathBuf| entries(&folder).into_iter().filter(|it| is_own(it));
        for path in folders.flat_map(files_of) {
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

    /// Opens the file if it is whole and of the build, and updates the time of its last use.
    pub(crate) fn open(&self) -> Kept {
        match fs::symlink_metadata(&self.path) {
            Err(_) => return Kept::Nothing,
            // Other clients note with empty files that no server has it.
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 && self.id.is_some() => {
                return Kept::Nothing;
            }
            Ok(_) => {}
        }
        // What is no regular file, such as a FIFO, is not opened.
        let Ok(file) = backsight_files::open(&self.path, By::Folder) else {
            return Kept::Damaged;
        };
        if self.id.is_some_and(|id| !is_whole(&file, &id)) {
            return Kept::Damaged;
        }
        // A read-only cache can be used, too.
        drop(file.set_modified(SystemTime::now()));
        Kept::Sound(file)
    }

    /// Removes what is damaged. This must be called with the lock.
    pub(crate) fn discard(&self) -> Result<(), FetchFault> {
        let removed = fs::remove_file(&self.path);
        removed.map_err(|error| FetchFault::of_cache("remove", &self.path, error))
    }

    /// Returns the path of its marker.
    pub(crate) fn absent(&self) -> PathBuf {
        self.path.with_extension(ABSENT)
    }
}

/// Whether a file is an ELF file of this build, with all its section headers: they are behind
/// everything else, so that they are what a file that was cut lacks first.
pub(crate) fn is_whole(mut file: &File, id: &BuildId) -> bool {
    let contents = ElfContents::read(file);
    let is_rewound = file.rewind().is_ok();
    is_rewound && contents.is_ok_and(|contents| contents.build_id == Some(*id))
}

/// Whether a file in the directory of a build ID has a name that this cache gives. Others may keep
/// files there, too: elfutils' client has the same directories.
fn is_own(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
    let is_source = kind
        .strip_prefix(FileKind::Source.name())
        .is_some_and(|path| path.starts_with('-'));
    let is_kind = is_source || FileKind::SINGLE.iter().any(|it| it.name() == kind);
    is_kind && (name == kind || rest == ABSENT || rest.starts_with(PART))
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
