//! Adds files to the store.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use backsight_files::{By, Whole, only_root_or_user_can_write};
use backsight_types::BuildId;

use crate::directory::{RecordedState, StoreDir, StoreLock, stored};
use crate::error::StoreError;
use crate::identify::identify;
use crate::options::AddOptions;
use crate::outcome::AddOutcome;
use crate::place::StorePlace;
use crate::record::{Record, name_of};
use crate::store::Store;
use crate::stored::{StoredFile, StoredKind};
use crate::transfer::{self, Linked};
use crate::walk::{Walked, walk};

/// The state of a place in the store.
enum PlaceState {
    Free,
    /// It has a file of this build and kind, here.
    Filled(PathBuf),
    /// It has another file.
    Occupied(PathBuf),
}

impl Store {
    /// Adds a file, or the files of a directory and its subdirectories, and calls `each` with
    /// what became of each of them. Links in the directory are not followed, and directories of
    /// other filesystems not entered.
    ///
    /// An executable with DWARF is its own debug file: it gets both names. If the store has an
    /// executable of this build already, it becomes the debug file of that.
    ///
    /// # Errors
    /// When the store itself cannot be used: [`StoreError::NotOurs`], [`StoreError::Busy`] and
    /// [`StoreError::File`]. All that concerns a single file is an [`AddOutcome`].
    pub fn add(
        &self,
        path: &Path,
        options: &AddOptions,
        each: &mut dyn FnMut(&Path, AddOutcome),
    ) -> Result<(), StoreError> {
        let dir = StoreDir::create(self.path())?;
        let adding = Adding { dir, options };
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return walk(path, options, &mut |path, walked| {
                let outcome = match walked {
                    Walked::File(file) => adding.add(&file, path)?,
                    Walked::Other(outcome) => outcome,
                };
                each(path, outcome);
                Ok(())
            });
        }
        let outcome = match backsight_files::open(path, By::Caller) {
            Ok(file) => adding.add(&file, path)?,
            Err(error) => AddOutcome::Failed(error.into()),
        };
        each(path, outcome);
        Ok(())
    }

    /// Adds an open file, which is called by the last part of `name` in the listing.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_file(
        &self,
        file: &File,
        name: &Path,
        options: &AddOptions,
    ) -> Result<AddOutcome, StoreError> {
        let dir = StoreDir::create(self.path())?;
        Adding { dir, options }.add(file, name)
    }

    /// Opens the executable or debug file of a build, if the store has it, and counts that as a
    /// use. The file has this build ID. It may also be one that another tool put there.
    ///
    /// # Errors
    /// When the store cannot be used, as [`list`](Self::list), and when the file cannot be read
    /// or has another build ID: [`StoreError::Occupied`].
    pub fn get(
        &self,
        id: &BuildId,
        kind: StoredKind,
    ) -> Result<Option<(File, PathBuf)>, StoreError> {
        let is_elf = matches!(kind, StoredKind::Executable | StoredKind::DebugFile);
        let place = StorePlace::of_elf(id, kind).filter(|_| is_elf);
        let (Some(dir), Some(place)) = (StoreDir::open(self.path())?, place) else {
            return Ok(None);
        };
        let options = &AddOptions::default();
        let adding = Adding { dir, options };
        match adding.state(&place)? {
            PlaceState::Free => Ok(None),
            PlaceState::Occupied(path) => Err(StoreError::Occupied(path)),
            PlaceState::Filled(path) => {
                adding.dir.note_use(&place);
                let file = backsight_files::open(&path, By::Folder)?;
                Ok(Some((file, path)))
            }
        }
    }
}

struct Adding<'a> {
    dir: StoreDir,
    options: &'a AddOptions,
}

impl Adding<'_> {
    /// Adds a file. An error is one of the store; what is wrong with the file is an outcome.
    fn add(&self, file: &File, path: &Path) -> Result<AddOutcome, StoreError> {
        match self.try_to_add(file, path) {
            Ok(outcome) => Ok(outcome),
            Err(error @ (StoreError::NotOurs(_) | StoreError::Busy(_))) => Err(error),
            Err(error) => Ok(AddOutcome::Failed(error)),
        }
    }

    fn try_to_add(&self, file: &File, path: &Path) -> Result<AddOutcome, StoreError> {
        let places = match identify(file) {
            Ok(places) => places,
            Err(why) => return Ok(why.into()),
        };
        let mut filled = None;
        for place in places {
            match self.state(&place)? {
                PlaceState::Free => return self.fill(&place, file, path),
                PlaceState::Filled(at) => {
                    self.dir.note_use(&place);
                    filled.get_or_insert(at);
                }
                PlaceState::Occupied(at) => return Err(StoreError::Occupied(at)),
            }
        }
        let none = || StoreError::Damaged("no place".to_owned());
        filled.map(AddOutcome::AlreadyThere).ok_or_else(none)
    }

    /// Returns whether the store has a file of this build and kind, which is read for that.
    fn state(&self, place: &StorePlace) -> Result<PlaceState, StoreError> {
        // A Breakpad file of the same build may be there under another name of the module.
        if let Some(recorded) = self.dir.recorded(place)?
            && let RecordedState::Kept(file) = recorded.state
            && recorded.place.path != place.path
        {
            return Ok(PlaceState::Filled(file.path));
        }
        let path = self.dir.path_of(&place.path);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(PlaceState::Free),
            Err(error) => return Err(StoreError::of_file("stat", &path, error)),
            Ok(_) => {}
        }
        // Where other tools keep files, too, it may be a link to a file elsewhere.
        let Ok(file) = backsight_files::open(&path, By::Folder) else {
            return Ok(PlaceState::Occupied(path));
        };
        let places = identify(&file);
        let is_same = |it: &StorePlace| it.id == place.id;
        match places.is_ok_and(|places| places.iter().any(is_same)) {
            true => Ok(PlaceState::Filled(path)),
            false => Ok(PlaceState::Occupied(path)),
        }
    }

    fn fill(
        &self,
        place: &StorePlace,
        file: &File,
        source: &Path,
    ) -> Result<AddOutcome, StoreError> {
        let metadata = file
            .metadata()
            .map_err(|error| StoreError::of_file("stat", source, error))?;
        let limit = self.options.file_bytes;
        if metadata.len() > limit {
            return Err(StoreError::TooLarge { limit });
        }
        let target = self.dir.path_of(&place.path);
        let name = name_of(source);
        let lock = self.lock(place)?;
        if self.options.link && only_root_or_user_can_write(&metadata) {
            let record = self.record(place, &metadata, name.clone());
            let before = self.dir.recorded(place)?;
            self.dir.write_record(place, &record)?;
            match transfer::link(file, &target) {
                Ok(Linked::Done) => return Ok(self.done(place, &record, &metadata, true)),
                Ok(Linked::Taken) => return self.taken(place, before.map(|it| it.record)),
                Ok(Linked::Refused) => self.dir.remove_record(place)?,
                Err(error) => {
                    self.dir.remove_record(place)?;
                    return Err(error);
                }
            }
        }
        let copy = Whole::begin(&target, 0o644)?;
        // Other processes need not wait for the copy of a large file.
        drop(lock);
        let metadata = transfer::copy(file, &copy, &target, place, limit)?;
        self.name(place, copy, &metadata, name)
    }

    /// Locks the store and creates the directory of a place, which others may remove as long as
    /// it is empty and they have the lock.
    fn lock(&self, place: &StorePlace) -> Result<StoreLock, StoreError> {
        let lock = self.dir.lock()?;
        if let Some(parent) = place.path.parent() {
            self.dir.subdirectory(parent)?;
        }
        Ok(lock)
    }

    /// Gives a copy its name in the store. The record is written first: a file without one
    /// would never be removed.
    fn name(
        &self,
        place: &StorePlace,
        copy: Whole,
        metadata: &Metadata,
        name: OsString,
    ) -> Result<AddOutcome, StoreError> {
        let _lock = self.lock(place)?;
        let before = self.dir.recorded(place)?;
        let record = self.record(place, metadata, name);
        self.dir.write_record(place, &record)?;
        match copy.finish_new() {
            Ok(true) => Ok(self.done(place, &record, metadata, false)),
            Ok(false) => self.taken(place, before.map(|it| it.record)),
            Err(error) => {
                self.dir.remove_record(place)?;
                Err(error.into())
            }
        }
    }

    /// Another process was faster. Its record, which was replaced, is written again.
    fn taken(&self, place: &StorePlace, before: Option<Record>) -> Result<AddOutcome, StoreError> {
        match before {
            Some(record) => self.dir.write_record(place, &record)?,
            None => self.dir.remove_record(place)?,
        }
        Ok(AddOutcome::AlreadyThere(self.dir.path_of(&place.path)))
    }

    fn record(&self, place: &StorePlace, metadata: &Metadata, name: OsString) -> Record {
        let debug = self.dir.path_of(&place.debug_path());
        let is_own_debug_file = place.kind == StoredKind::Executable && place.has_dwarf;
        Record {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            has_debug_link: is_own_debug_file && debug.symlink_metadata().is_err(),
            module: place.module.clone(),
            name,
        }
    }

    fn done(
        &self,
        place: &StorePlace,
        record: &Record,
        metadata: &Metadata,
        is_linked: bool,
    ) -> AddOutcome {
        let path = self.dir.path_of(&place.path);
        if record.has_debug_link
            && let Some(name) = path.file_name()
        {
            let made = symlink(name, self.dir.path_of(&place.debug_path()));
            if let Err(error) = made {
                let debug = place.debug_path();
                return AddOutcome::Failed(StoreError::of_file("link", &debug, error));
            }
        }
        let file: StoredFile = stored(path, place, record, metadata, SystemTime::now());
        AddOutcome::Added { file, is_linked }
    }
}
