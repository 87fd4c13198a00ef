//! The directory of a store, whose owner and mode were checked: records, and the lock.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use backsight_files::{By, FileError, Whole, only_root_or_user_can_write};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::StoreError;
use crate::place::{PlaceId, StorePlace};
use crate::record::{MAX_RECORD, Record};
use crate::stored::StoredFile;

/// The directory of records.
const RECORDS: &str = ".backsight-store";

/// The lock, which no record is called.
const LOCK: &str = "lock";

/// How long another process may hold the lock: adding a file takes it for a few system calls,
/// and collecting for one pass over the records.
const LOCK_TIME: Duration = Duration::from_secs(30);

/// How often the lock is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The directory of a store.
#[derive(Debug)]
pub(crate) struct StoreDir {
    path: PathBuf,
}

/// The right to change the store, until it is dropped. The kernel drops it with the process.
pub(crate) type StoreLock = Flock<File>;

/// A record of the store, and the file that it is of.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) place: StorePlace,
    pub(crate) record: Record,
    pub(crate) state: RecordedState,
}

/// The state of a file of which there is a record.
#[derive(Debug)]
pub(crate) enum RecordedState {
    /// It is the file that was added.
    Kept(StoredFile),
    /// Another one has replaced it, or it was changed.
    Altered,
    /// It is gone.
    Missing,
}

impl StoreDir {
    /// Checks the directory of a store; `None` if nothing was ever added.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let dir = Self {
            path: path.to_owned(),
        };
        match fs::metadata(path) {
            Ok(metadata) => is_ours(path, &metadata)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::of_file("stat", path, error)),
        }
        let records = dir.path.join(RECORDS);
        match fs::symlink_metadata(&records) {
            Ok(metadata) => is_ours(&records, &metadata)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::of_file("stat", &records, error)),
        }
        Ok(Some(dir))
    }

    /// As [`open`](Self::open), and creates what is missing.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let made = dirs().recursive(true).create(path);
        made.map_err(|error| StoreError::of_file("create", path, error))?;
        let metadata = fs::metadata(path);
        is_ours(
            path,
            &metadata.map_err(|error| StoreError::of_file("stat", path, error))?,
        )?;
        let dir = Self {
            path: path.to_owned(),
        };
        dir.subdirectory(Path::new(RECORDS))?;
        Ok(dir)
    }

    /// Returns the path of what has this path in the store.
    pub(crate) fn path_of(&self, inner: &Path) -> PathBuf {
        self.path.join(inner)
    }

    /// Creates each directory of this path in the store. None may be a link, or be others'.
    pub(crate) fn subdirectory(&self, inner: &Path) -> Result<(), StoreError> {
        let mut path = self.path.clone();
        for part in inner {
            path.push(part);
            match dirs().create(&path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(StoreError::of_file("create", &path, error));
                }
                _ => {}
            }
            let metadata = fs::symlink_metadata(&path);
            let metadata = metadata.map_err(|error| StoreError::of_file("stat", &path, error))?;
            is_ours(&path, &metadata)?;
        }
        Ok(())
    }

    /// Waits until no other process changes the store.
    pub(crate) fn lock(&self) -> Result<StoreLock, StoreError> {
        let path = self.path.join(RECORDS).join(LOCK);
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = opened.map_err(|error| StoreError::of_file("open", &path, error))?;
        let begun = Instant::now();
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((unlocked, Errno::EWOULDBLOCK)) if begun.elapsed() < LOCK_TIME => {
                    file = unlocked;
                    thread::sleep(LOCK_INTERVAL);
                }
                Err((_, Errno::EWOULDBLOCK)) => return Err(StoreError::Busy(self.path.clone())),
                Err((_, errno)) => return Err(StoreError::of_file("lock", &path, errno.into())),
            }
        }
    }

    /// Writes the record of a file.
    pub(crate) fn write_record(
        &self,
        place: &StorePlace,
        record: &Record,
    ) -> Result<(), StoreError> {
        let path = self.record_path(place);
        let mut whole = Whole::begin(&path, 0o644)?;
        let written = whole.write_all(&record.to_bytes());
        written.map_err(|error| StoreError::of_file("write", &path, error))?;
        Ok(whole.finish()?)
    }

    /// Removes the record of a file, if there is one.
    pub(crate) fn remove_record(&self, place: &StorePlace) -> Result<(), StoreError> {
        let path = self.record_path(place);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::of_file("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// Notes that a file was used now, if it is the store's own.
    pub(crate) fn note_use(&self, place: &StorePlace) {
        // A store that cannot be written to is read all the same.
        if let Ok(file) = File::open(self.record_path(place)) {
            drop(file.set_modified(SystemTime::now()));
        }
    }

    /// Returns the record of a build, and the file that it is of; `None` if there is none.
    pub(crate) fn recorded(&self, place: &StorePlace) -> Result<Option<Recorded>, StoreError> {
        match self.read_record(&place.record_name()) {
            Err(StoreError::File(error)) if is_not_found(&error) => Ok(None),
            recorded => recorded.map(Some),
        }
    }

    /// Reads all records. One that cannot be read is an error of its own.
    pub(crate) fn records(&self) -> Result<Vec<Result<Recorded, StoreError>>, StoreError> {
        let dir = self.path.join(RECORDS);
        let entries = fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| StoreError::of_file("list", &dir, error))?;
        let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
        names.sort_unstable();
        let records = names.iter().filter_map(|name| {
            // What another process writes just now has a name with a dot in front.
            let is_record = |name: &&str| *name != LOCK && !name.starts_with('.');
            match name.to_str() {
                Some(name) => Some(name)
                    .filter(is_record)
                    .map(|name| self.read_record(name)),
                None => Some(Err(StoreError::BadRecord(dir.join(name)))),
            }
        });
        Ok(records.collect())
    }

    fn read_record(&self, name: &str) -> Result<Recorded, StoreError> {
        let path = self.path.join(RECORDS).join(name);
        let file = backsight_files::open(&path, By::Folder)?;
        let mut text = Vec::new();
        let read = (&file).take(MAX_RECORD).read_to_end(&mut text);
        read.map_err(|error| StoreError::of_file("read", &path, error))?;
        let noted = file.metadata().and_then(|metadata| metadata.modified());
        let noted = noted.map_err(|error| StoreError::of_file("stat", &path, error))?;
        let read = Record::parse(&text).and_then(|record| {
            Some((
                StorePlace::of_record(name, record.module.as_deref())?,
                record,
            ))
        });
        let Some((place, record)) = read else {
            return Err(StoreError::BadRecord(path));
        };
        let state = self.state(&place, &record, noted)?;
        Ok(Recorded {
            place,
            record,
            state,
        })
    }

    fn state(
        &self,
        place: &StorePlace,
        record: &Record,
        noted: SystemTime,
    ) -> Result<RecordedState, StoreError> {
        let path = self.path.join(&place.path);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if record.is_of(&metadata) => {
                let file = stored(path, place, record, &metadata, noted);
                Ok(RecordedState::Kept(file))
            }
            Ok(_) => Ok(RecordedState::Altered),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(RecordedState::Missing),
            Err(error) => Err(StoreError::of_file("stat", &path, error)),
        }
    }

    fn record_path(&self, place: &StorePlace) -> PathBuf {
        self.path.join(RECORDS).join(place.record_name())
    }
}

/// Returns the file of the store that a record is of.
pub(crate) fn stored(
    path: PathBuf,
    place: &StorePlace,
    record: &Record,
    metadata: &Metadata,
    noted: SystemTime,
) -> StoredFile {
    let (build_id, debug_id) = match place.id {
        PlaceId::Build(id) => (Some(id), None),
        PlaceId::Debug(id) => (None, Some(id)),
    };
    // A time in the future is of another clock, and would keep the file for ever.
    let read = metadata.accessed().unwrap_or(noted);
    let last_used = read.max(noted).min(SystemTime::now());
    StoredFile {
        kind: place.kind,
        build_id,
        debug_id,
        path,
        bytes: record.bytes,
        name: record.name.clone(),
        last_used,
    }
}

fn is_ours(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    if !metadata.is_dir() {
        let error = io::Error::from(ErrorKind::NotADirectory);
        return Err(StoreError::of_file("open", path, error));
    }
    match only_root_or_user_can_write(metadata) {
        true => Ok(()),
        false => Err(StoreError::NotOurs(path.to_owned())),
    }
}

fn is_not_found(error: &FileError) -> bool {
    matches!(error.error(), backsight_files::Error::Io(error) if error.kind() == ErrorKind::NotFound)
}

/// Other users, and their debuggers, may read what is in the store.
fn dirs() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o755);
    builder
}
