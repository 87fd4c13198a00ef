//! A directory of index files, which processes share.
//!
//! ```text
//!   DIR/93ac61ec5a8e….index     one for each build ID
//!   DIR/….index.PID-N.new       being written; takes its name when it is whole
//!   DIR/lock                    held by whoever makes room
//! ```
//!
//! Files appear whole, by renaming, and go by unlinking, so readers need no lock: a
//! file that goes while it is mapped stays until it is let go of. Only two that make
//! room at once would remove too much; the second leaves it to the first.

use std::fs::{DirBuilder, DirEntry, File, FileTimes, Metadata, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use backsight_files::By;
use backsight_types::BuildId;
use nix::fcntl::{Flock, FlockArg};

use crate::{IndexError, Options, SymbolIndex};

/// A directory where indexes are kept between runs, by build ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDir {
    /// The directory. It is made, for its owner alone, when the first index is kept.
    pub path: PathBuf,
    /// The bytes that all indexes in it may take together. When they take more, those
    /// go that were not used for longest.
    pub max_bytes: u64,
}

/// After eviction so much of the room is taken, so that not every new index evicts.
const FULL_TO_TENTHS: u64 = 9;

/// How exactly it is known when an index was last used.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// A file that is still being written after this time never will be.
const ABANDONED: Duration = Duration::from_secs(3600);

impl IndexDir {
    /// Returns where the index of this build ID is kept.
    #[must_use]
    pub fn path_of(&self, id: BuildId) -> PathBuf {
        self.path.join(format!("{id}.index"))
    }

    /// Returns the index of this build ID, if one is kept that can be read.
    pub(crate) fn get(&self, id: BuildId, options: &Options) -> Option<SymbolIndex> {
        let path = self.path_of(id);
        let file = backsight_files::open(&path, By::Folder).ok()?;
        let index = SymbolIndex::of_file(&file, options).ok()?;
        let is_it = index.build_id() == Some(id);
        if is_it {
            note_use(&file);
        }
        is_it.then_some(index)
    }

    /// Keeps an index, and makes room for it.
    ///
    /// # Errors
    /// Those of [`SymbolIndex::write`]; also when the index has no build ID to be kept
    /// by, or alone exceeds the room.
    pub fn keep(&self, index: &SymbolIndex) -> Result<(), IndexError> {
        let no_room = crate::Error::TooLarge {
            limit: self.max_bytes,
        };
        let id = index.build_id().ok_or(IndexError::BuildIdMismatch)?;
        let size = u64::try_from(index.file_size()).unwrap_or(u64::MAX);
        if size > self.max_bytes {
            return Err(no_room.into());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        index.write(&self.path_of(id))?;
        self.make_room()?;
        Ok(())
    }

    /// Removes the indexes that were not used for longest until the others fit.
    /// Returns how many bytes they take then.
    ///
    /// Does nothing while another process does the same.
    ///
    /// # Errors
    /// When the directory cannot be read or locked.
    pub fn make_room(&self) -> Result<u64, IndexError> {
        let mut kept = self.kept()?;
        let mut total = kept
            .iter()
            .map(|kept| kept.size)
            .fold(0, u64::saturating_add);
        if total <= self.max_bytes {
            return Ok(total);
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join("lock"))?;
        let Ok(_lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else {
            return Ok(total);
        };
        kept.sort_by_key(|kept| kept.used);
        let goal = (self.max_bytes / 10).saturating_mul(FULL_TO_TENTHS);
        for kept in kept {
            if total <= goal {
                break;
            }
            // Someone else may have removed it, which is as well.
            if std::fs::remove_file(&kept.path).is_ok() {
                total = total.saturating_sub(kept.size);
            }
        }
        Ok(total)
    }

    /// Lists the indexes, and removes what writers that died have left.
    fn kept(&self) -> Result<Vec<Kept>, IndexError> {
        let now = SystemTime::now();
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            // One that is gone by now counts no more.
            let Ok((entry, metadata)) = entry.and_then(of_entry) else {
                continue;
            };
            let Ok(used) = metadata.modified() else {
                continue;
            };
            let path = entry.path();
            let is = |extension| path.extension().is_some_and(|is| is == extension);
            if is("index") && metadata.is_file() {
                all.push(Kept {
                    path,
                    size: metadata.len(),
                    used,
                });
            } else if is("new") && now.duration_since(used).is_ok_and(|age| age > ABANDONED) {
                // If that fails, the next one tries.
                let _ = std::fs::remove_file(&path);
            }
        }
        Ok(all)
    }
}

/// An index in the directory.
struct Kept {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn of_entry(entry: DirEntry) -> std::io::Result<(DirEntry, Metadata)> {
    let metadata = entry.metadata()?;
    Ok((entry, metadata))
}

/// Sets the time of a file that is used, unless it was just set. Whoever may not, uses
/// the directory of someone else, who then decides alone.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    let age = modified.map(|modified| now.duration_since(modified));
    if !matches!(age, Ok(Ok(age)) if age < USE_INTERVAL) {
        let _ = file.set_times(FileTimes::new().set_modified(now));
    }
}
