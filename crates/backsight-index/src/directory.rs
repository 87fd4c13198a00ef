//! A directory of index files that processes share.
//!
//! ```text
//!   DIR/93ac61ec5a8e….index             for this build ID, added by a user
//!   DIR/93ac61ec5a8e…-51c0f3….index     for this build ID, built from certain files
//!   DIR/.….index.PID-N.part             being written, if the filesystem has no unnamed
//!                                       files; renamed when it is complete
//! ```
//!
//! A build ID proves nothing: any program may contain that of the C++ library. So the
//! name of an index that a lookup writes here identifies the files that it was built from
//! ([`Binding`]), and it is used only for them. An index without a binding was added
//! deliberately ([`IndexDir::keep`]). No index is kept if it was built from files that
//! other users can change, and a directory or an index that other users can change is not
//! used.
//!
//! Files are written atomically ([`Whole`](backsight_files::Whole)) and removed by
//! unlinking, so readers need no lock: a mapped file stays readable after it is removed.
//! Only eviction locks the directory, as two evictions at once would remove too much; the
//! second one is skipped. Files without the names and the magic of an index are never
//! changed.

mod name;

use std::fs::{DirBuilder, File, FileTimes, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_files::{Error, FileError, hold_at, only_root_or_user_can_write, path_of, reopen};
use backsight_types::BuildId;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::Mode;

use crate::format::{IndexCause, IndexError, MAGIC};
use crate::read_options::ReadOptions;
use crate::symbol_index::SymbolIndex;

pub use name::Binding;
use name::{NameKind, kind_of, name_of};

/// A directory that keeps indexes between runs, by build ID.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexDir {
    /// The directory. It is created when the first index is kept, with access only for
    /// its owner. A directory that other users can write to is not used.
    pub path: PathBuf,
    /// The maximum size of all indexes in it, in bytes. If it is exceeded, the least
    /// recently used ones are removed.
    pub max_bytes: u64,
}

/// Eviction stops at this fraction of the maximum size, so that not every new index
/// causes one.
const FULL_TO_TENTHS: u64 = 9;

/// The time of last use is updated at most this often.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// An unfinished file that is older than this was abandoned.
const ABANDONED: Duration = Duration::from_secs(3600);

/// An open directory whose owner and mode were checked. It stays the same directory even
/// if its path is replaced.
struct OpenDirectory {
    directory: File,
    path: PathBuf,
    /// The path that the caller gave, for messages.
    named: PathBuf,
}

impl OpenDirectory {
    fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a regular file that only root and this user can change.
    fn open(&self, name: &Path) -> Result<(File, Metadata), IndexError> {
        let opened = self.open_file(name);
        let (file, metadata) = opened.map_err(|error| error.with_path(self.named.join(name)))?;
        match only_root_or_user_can_write(&metadata) {
            true => Ok((file, metadata)),
            false => {
                let path = self.named.join(name);
                Err(IndexError::of_file("open", &path, IndexCause::NotOurs))
            }
        }
    }

    fn open_file(&self, name: &Path) -> Result<(File, Metadata), FileError> {
        let place = hold_at(&self.directory, name)?;
        let (file, _) = reopen(place)?;
        let metadata = file.metadata();
        let metadata = metadata.map_err(|error| FileError::new("stat", None, error))?;
        Ok((file, metadata))
    }
}

fn is_not_found(error: &IndexError) -> bool {
    matches!(
        error.cause(),
        IndexCause::File(Error::Io(error)) if error.kind() == ErrorKind::NotFound
    )
}

impl IndexDir {
    /// Returns the directory at this path, with a maximum size of all indexes in bytes.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, max_bytes: u64) -> Self {
        Self {
            path: path.into(),
            max_bytes,
        }
    }

    /// Returns the path of the index of this build ID without a binding.
    #[must_use]
    pub fn path_of(&self, id: BuildId) -> PathBuf {
        self.path.join(name_of(id, None))
    }

    /// As [`path_of`](Self::path_of), for an index that is bound to files.
    #[must_use]
    pub fn path_bound(&self, id: BuildId, binding: Option<Binding>) -> PathBuf {
        self.path.join(name_of(id, binding))
    }

    /// Returns the index of this build ID with this binding, or without one for `None`.
    ///
    /// # Errors
    /// An error of the kind [`NotFound`](std::io::ErrorKind::NotFound) if there is none;
    /// otherwise the reason why it cannot be used.
    pub fn get(
        &self,
        id: BuildId,
        binding: Option<Binding>,
        options: &ReadOptions,
    ) -> Result<SymbolIndex, IndexError> {
        let name = name_of(id, binding);
        let (file, _) = self.held()?.open(Path::new(&name))?;
        let index = SymbolIndex::of_file(&file, &self.path.join(&name), options)?;
        if index.build_id() != Some(id) {
            let own = index.build_id().map(|own| format!("build ID {own}"));
            let cause = IndexCause::OtherBuild {
                own: own.unwrap_or_else(|| "a build without ID".to_owned()),
                wanted: format!("build ID {id}"),
            };
            return Err(IndexError::of_file("read", &self.path.join(&name), cause));
        }
        note_use(&file);
        Ok(index)
    }

    /// Keeps an index, and removes others if it does not fit. It is then used for every
    /// file with its build ID, so the caller must be sure that it is right for all of
    /// them.
    ///
    /// # Errors
    /// Those of [`SymbolIndex::write`]. Also when the index has no build ID, was built
    /// from files that other users can change, or is larger than the maximum size, and
    /// when other users can change the directory.
    pub fn keep(&self, index: &SymbolIndex) -> Result<(), IndexError> {
        self.keep_bound(index, None)
    }

    /// As [`keep`](Self::keep), but the index is used only for the files that it was
    /// built from.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    pub fn keep_bound(
        &self,
        index: &SymbolIndex,
        binding: Option<Binding>,
    ) -> Result<(), IndexError> {
        let no_room = Error::TooLarge {
            limit: self.max_bytes,
        };
        let Some(id) = index.build_id() else {
            let cause = IndexCause::NoBuildId;
            return Err(IndexError::of_file("keep", &self.path, cause));
        };
        let refused = |cause: IndexCause| {
            let path = self.path_bound(id, binding);
            Err(IndexError::of_file("keep", &path, cause))
        };
        if index.is_untrusted {
            return refused(IndexCause::Untrusted);
        }
        let size = u64::try_from(index.file_size()).unwrap_or(u64::MAX);
        if size > self.max_bytes {
            return refused(no_room.into());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| IndexError::of_file("create", &self.path, error))?;
        let held = self.held()?;
        let name = name_of(id, binding);
        let written = index.write_whole(&held.path_of(&name));
        written.map_err(|error| error.with_path(self.path.join(name)))?;
        self.make_room_in(&held)?;
        Ok(())
    }

    /// Checks that the directory can be used: other users cannot change it, or it does
    /// not exist yet.
    ///
    /// # Errors
    /// [`IndexCause::NotOurs`], and [`IndexCause::File`] when it cannot be opened.
    pub fn check(&self) -> Result<(), IndexError> {
        match self.held() {
            Err(error) if is_not_found(&error) => Ok(()),
            held => held.map(drop),
        }
    }

    fn held(&self) -> Result<OpenDirectory, IndexError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(&self.path, flags, Mode::empty());
        let failed = |error| IndexError::of_file("open", &self.path, error);
        let directory = directory.map_err(|errno| failed(std::io::Error::from(errno)))?;
        let directory = File::from(directory);
        if !only_root_or_user_can_write(&directory.metadata().map_err(failed)?) {
            return Err(IndexError::of_file("open", &self.path, IndexCause::NotOurs));
        }
        // The path may refer to another directory at the next call.
        let path = path_of(&directory);
        Ok(OpenDirectory {
            directory,
            path,
            named: self.path.clone(),
        })
    }

    /// Removes an index that turned out to be damaged.
    pub fn remove(&self, id: BuildId, binding: Option<Binding>) {
        if let Ok(held) = self.held() {
            let path = held.path_of(&name_of(id, binding));
            // If this fails, the next reader finds the damage again.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Removes the least recently used indexes until the others fit. Returns the
    /// remaining size in bytes.
    ///
    /// Does nothing while another process evicts.
    ///
    /// # Errors
    /// When the directory cannot be read, or other users can change it.
    pub fn make_room(&self) -> Result<u64, IndexError> {
        self.make_room_in(&self.held()?)
    }

    fn make_room_in(&self, held: &OpenDirectory) -> Result<u64, IndexError> {
        let mut kept = kept(held)?;
        let mut total = kept
            .iter()
            .map(|kept| kept.size)
            .fold(0, u64::saturating_add);
        if total <= self.max_bytes {
            return Ok(total);
        }
        let lock = held.directory.try_clone();
        let lock = lock.map_err(|error| IndexError::of_file("lock", &self.path, error))?;
        let Ok(_lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else {
            return Ok(total);
        };
        kept.sort_by_key(|kept| kept.used);
        let goal = (self.max_bytes / 10).saturating_mul(FULL_TO_TENTHS);
        for kept in kept {
            if total <= goal {
                break;
            }
            // Another process may have removed it already.
            if std::fs::remove_file(held.path_of(&kept.name)).is_ok() {
                total = total.saturating_sub(kept.size);
            }
        }
        Ok(total)
    }
}

/// Lists the indexes, and removes abandoned unfinished files.
fn kept(held: &OpenDirectory) -> Result<Vec<IndexFile>, IndexError> {
    let now = SystemTime::now();
    let mut all = Vec::new();
    let entries = std::fs::read_dir(&held.path);
    let entries = entries.map_err(|error| IndexError::of_file("list", &held.named, error))?;
    for entry in entries {
        // A file that was removed meanwhile is not counted.
        let Some(name) = entry
            .ok()
            .and_then(|entry| entry.file_name().into_string().ok())
        else {
            continue;
        };
        let Some(kind) = kind_of(&name) else {
            continue;
        };
        let Ok((file, metadata)) = held.open(Path::new(&name)) else {
            continue;
        };
        let Ok(used) = metadata.modified() else {
            continue;
        };
        match kind {
            NameKind::Index if starts_as_index(&file, MAGIC.len()) => all.push(IndexFile {
                name,
                size: metadata.len(),
                used,
            }),
            NameKind::New
                if now.duration_since(used).is_ok_and(|age| age > ABANDONED)
                    && starts_as_index(&file, 0) =>
            {
                // If this fails, the next eviction tries again.
                let _ = std::fs::remove_file(held.path_of(&name));
            }
            NameKind::Index | NameKind::New => {}
        }
    }
    Ok(all)
}

/// An index in the directory.
struct IndexFile {
    name: String,
    size: u64,
    used: SystemTime,
}

/// Returns whether a file starts with the magic of an index. A file shorter than the
/// magic must have at least `at_least` bytes, and only these are compared.
fn starts_as_index(file: &File, at_least: usize) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = file.read_at(&mut begin, 0);
    read.is_ok_and(|read| read >= at_least && begin.get(..read) == MAGIC.get(..read))
}

/// Updates the time of last use, unless it is recent. This fails in a directory of
/// another user; then only that user's accesses count for eviction.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    let age = modified.map(|modified| now.duration_since(modified));
    if !matches!(age, Ok(Ok(age)) if age < USE_INTERVAL) {
        let _ = file.set_times(FileTimes::new().set_modified(now));
    }
}
