//! A directory of index files, which processes share.
//!
//! ```text
//!   DIR/93ac61ec5a8e….index             of this build ID, by whoever vouched for it
//!   DIR/93ac61ec5a8e…-51c0f3….index     of this build ID, as these files had it
//!   DIR/.….index.PID-N.part             being written, where the filesystem has no file
//!                                       without a name; takes its own when it is whole
//! ```
//!
//! A build ID is a claim: any program may carry that of the C++ library. So an index that
//! a lookup leaves here has in its name which files it was built from ([`Binding`]), and is
//! used for these alone; one without was put here on purpose
//! ([`IndexDir::keep`]). Neither is built from files that others can change, and a
//! directory or an index that others can change is not used at all.
//!
//! Files appear whole ([`Whole`](backsight_files::Whole)), and go by unlinking, so readers need no lock: a
//! file that goes while it is mapped stays until it is let go of. Only two that make
//! room at once would remove too much: the directory itself is locked, and the second
//! leaves it to the first. What has not both our names and our first bytes is nobody's
//! business here.

use std::fs::{DirBuilder, File, FileTimes, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backsight_files::{Identity, hold_at, only_we_can_change, path_of, reopen};
use backsight_types::BuildId;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::Mode;
use sha2::{Digest, Sha256};

use crate::index::MAGIC;
use crate::{Error, IndexError, Options, SymbolIndex};

/// A directory where indexes are kept between runs, by build ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDir {
    /// The directory. It is made, for its owner alone, when the first index is kept. One
    /// that others can write to is not used.
    pub path: PathBuf,
    /// The bytes that all indexes in it may take together. When they take more, those
    /// go that were not used for longest.
    pub max_bytes: u64,
}

/// Which files an index was built from: their devices, inodes, sizes, times and owners,
/// summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding([u8; 16]);

impl Binding {
    /// Of the module and its debug file, where they are there.
    pub(crate) fn of(own: Option<Identity>, debug: Option<Identity>) -> Self {
        let mut hash = Sha256::new();
        for file in [own, debug] {
            let Some(file) = file else {
                hash.update([0]);
                continue;
            };
            hash.update([1]);
            for number in [file.device, file.inode, file.size, file.owner.into()] {
                hash.update(number.to_le_bytes());
            }
            for (seconds, nanos) in [file.modified, file.changed] {
                hash.update(seconds.to_le_bytes());
                hash.update(nanos.to_le_bytes());
            }
        }
        // Half of it: whoever wants the binding of a given file has to try 2^128 others.
        let hash: [u8; 32] = hash.finalize().into();
        Self(*hash.first_chunk().unwrap_or(&[0; 16]))
    }
}

/// After eviction so much of the room is taken, so that not every new index evicts.
const FULL_TO_TENTHS: u64 = 9;

/// How exactly it is known when an index was last used.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// A file that is still being written after this time never will be.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A directory that was looked at, by a name that stays its own whatever becomes of its
/// path.
struct Held {
    directory: File,
    path: PathBuf,
}

impl Held {
    fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens what is ours of this name: a regular file that nobody else can change.
    fn open(&self, name: &Path) -> Result<(File, Metadata), IndexError> {
        let place = hold_at(&self.directory, name).map_err(Error::from)?;
        let (file, _) = reopen(place).map_err(Error::from)?;
        let metadata = file.metadata()?;
        match only_we_can_change(&metadata) {
            true => Ok((file, metadata)),
            false => Err(IndexError::NotOurs),
        }
    }
}

impl IndexDir {
    /// Returns where the index of this build ID is kept that somebody vouched for.
    #[must_use]
    pub fn path_of(&self, id: BuildId) -> PathBuf {
        self.path.join(name_of(id, None))
    }

    /// The same of one that is bound to files.
    pub(crate) fn path_bound(&self, id: BuildId, binding: Option<Binding>) -> PathBuf {
        self.path.join(name_of(id, binding))
    }

    /// Says whether the directory can be used: it is one that nobody else can change, or
    /// is not there yet.
    ///
    /// # Errors
    /// [`IndexError::NotOurs`], and [`IndexError::File`] when it cannot be opened.
    pub fn check(&self) -> Result<(), IndexError> {
        match self.held() {
            Err(IndexError::File(Error::Io(ErrorKind::NotFound))) => Ok(()),
            held => held.map(drop),
        }
    }

    fn held(&self) -> Result<Held, IndexError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(&self.path, flags, Mode::empty());
        let directory = File::from(directory.map_err(std::io::Error::from)?);
        if !only_we_can_change(&directory.metadata()?) {
            return Err(IndexError::NotOurs);
        }
        // Its path may lead elsewhere by the next call.
        let path = path_of(&directory);
        Ok(Held { directory, path })
    }

    /// Returns the index of this build ID, of these files or by itself, if one is kept
    /// that can be read.
    ///
    /// # Errors
    /// Why not; [`Error::NotFound`] when there is none.
    pub(crate) fn get(
        &self,
        id: BuildId,
        binding: Option<Binding>,
        options: &Options,
    ) -> Result<SymbolIndex, IndexError> {
        let name = name_of(id, binding);
        let (file, _) = self.held()?.open(Path::new(&name))?;
        let index = SymbolIndex::of_file(&file, options)?;
        if index.build_id() != Some(id) {
            return Err(IndexError::BuildIdMismatch);
        }
        note_use(&file);
        Ok(index)
    }

    /// Removes an index that turned out to be damaged.
    pub(crate) fn remove(&self, id: BuildId, binding: Option<Binding>) {
        if let Ok(held) = self.held() {
            let path = held.path_of(&name_of(id, binding));
            // If that fails, the next one who reads it finds out as well.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Keeps an index, and makes room for it. It is used for every file of its build ID
    /// from then on: whoever keeps it vouches for that.
    ///
    /// # Errors
    /// Those of [`SymbolIndex::write`]; also when the index has no build ID to be kept
    /// by, was built from files that others can change, or alone exceeds the room, and
    /// when others can change the directory.
    pub fn keep(&self, index: &SymbolIndex) -> Result<(), IndexError> {
        self.keep_bound(index, None)
    }

    /// The same for the files alone that it was built from.
    pub(crate) fn keep_bound(
        &self,
        index: &SymbolIndex,
        binding: Option<Binding>,
    ) -> Result<(), IndexError> {
        let no_room = Error::TooLarge {
            limit: self.max_bytes,
        };
        let id = index.build_id().ok_or(IndexError::BuildIdMismatch)?;
        if index.is_of_strangers {
            return Err(IndexError::OfStrangers);
        }
        let size = u64::try_from(index.file_size()).unwrap_or(u64::MAX);
        if size > self.max_bytes {
            return Err(no_room.into());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        let held = self.held()?;
        index.write(&held.path_of(&name_of(id, binding)))?;
        self.make_room_in(&held)?;
        Ok(())
    }

    /// Removes the indexes that were not used for longest until the others fit.
    /// Returns how many bytes they take then.
    ///
    /// Does nothing while another process does the same.
    ///
    /// # Errors
    /// When the directory cannot be read, or others can change it.
    pub fn make_room(&self) -> Result<u64, IndexError> {
        self.make_room_in(&self.held()?)
    }

    fn make_room_in(&self, held: &Held) -> Result<u64, IndexError> {
        let mut kept = kept(held)?;
        let mut total = kept
            .iter()
            .map(|kept| kept.size)
            .fold(0, u64::saturating_add);
        if total <= self.max_bytes {
            return Ok(total);
        }
        let lock = held.directory.try_clone()?;
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
            if std::fs::remove_file(held.path_of(&kept.name)).is_ok() {
                total = total.saturating_sub(kept.size);
            }
        }
        Ok(total)
    }
}

/// Lists the indexes, and removes what writers that died have left.
fn kept(held: &Held) -> Result<Vec<Kept>, IndexError> {
    let now = SystemTime::now();
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&held.path)? {
        // One that is gone by now counts no more.
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
            NameKind::Index if begins_as_index(&file, MAGIC.len()) => all.push(Kept {
                name,
                size: metadata.len(),
                used,
            }),
            NameKind::New
                if now.duration_since(used).is_ok_and(|age| age > ABANDONED)
                    && begins_as_index(&file, 0) =>
            {
                // If that fails, the next one tries.
                let _ = std::fs::remove_file(held.path_of(&name));
            }
            NameKind::Index | NameKind::New => {}
        }
    }
    Ok(all)
}

/// An index in the directory.
struct Kept {
    name: String,
    size: u64,
    used: SystemTime,
}

fn name_of(id: BuildId, binding: Option<Binding>) -> String {
    let mut name = id.to_string();
    if let Some(Binding(bytes)) = binding {
        name.push('-');
        for byte in bytes {
            name.push_str(&format!("{byte:02x}"));
        }
    }
    name + SUFFIX
}

const SUFFIX: &str = ".index";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameKind {
    Index,
    /// Of one that is being written.
    New,
}

/// Returns what a name of ours stands for; `None` for all others.
fn kind_of(name: &str) -> Option<NameKind> {
    let hidden = name.strip_prefix('.');
    let (stem, rest) = hidden.unwrap_or(name).split_once(SUFFIX)?;
    let (id, binding) = match stem.split_once('-') {
        Some((id, binding)) => (id, Some(binding)),
        None => (stem, None),
    };
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = id.parse::<BuildId>().is_ok() && is_hex(id);
    if !is_id || binding.is_some_and(|binding| binding.len() != 32 || !is_hex(binding)) {
        return None;
    }
    if rest.is_empty() {
        return hidden.is_none().then_some(NameKind::Index);
    }
    // Earlier ones were called `….index.PID-N.new`.
    let end = if hidden.is_some() { ".part" } else { ".new" };
    let (pid, number) = rest.strip_prefix('.')?.strip_suffix(end)?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(pid) && is_number(number)).then_some(NameKind::New)
}

/// Returns whether a file begins as an index does, as far as it goes, which is at least
/// so many bytes.
fn begins_as_index(file: &File, at_least: usize) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = file.read_at(&mut begin, 0);
    read.is_ok_and(|read| read >= at_least && begin.get(..read) == MAGIC.get(..read))
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

#[cfg(test)]
mod tests {
    use super::{NameKind, kind_of};

    #[test]
    fn names_of_ours_are_told_from_others() {
        let index = Some(NameKind::Index);
        let new = Some(NameKind::New);
        let binding = "0123456789abcdef0123456789abcdef";
        let cases = [
            ("77c7.index".to_owned(), index),
            (format!("77c7-{binding}.index"), index),
            (".77c7.index.12-0.part".to_owned(), new),
            (format!(".77c7-{binding}.index.1-999.part"), new),
            ("77c7.index.12-0.part".to_owned(), None),
            (".77c7.index.12-0.new".to_owned(), None),
            (".77c7.index".to_owned(), None),
            (".notes.index.12-0.part".to_owned(), None),
            (".77c7.index.part".to_owned(), None),
            ("77c7.index.12-0.new".to_owned(), new),
            (format!("77c7-{binding}.index.1-999.new"), new),
            ("77C7.index".to_owned(), None),
            ("77c.index".to_owned(), None),
            ("notes.index".to_owned(), None),
            (".index".to_owned(), None),
            ("77c7-12.index".to_owned(), None),
            ("77c7.index.new".to_owned(), None),
            ("77c7.index.-.new".to_owned(), None),
            ("77c7.index.1-x.new".to_owned(), None),
            ("77c7.new".to_owned(), None),
            ("77c7.index.old".to_owned(), None),
            ("lock".to_owned(), None),
        ];
        for (name, want) in cases {
            assert_eq!(kind_of(&name), want, "{name}");
        }
    }
}
