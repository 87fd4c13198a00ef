//! The files of a directory and of its subdirectories, without following links.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backsight_files::{Error, FileError, NonRegularKind, folder, hold_at, path_of, reopen};

use crate::error::StoreError;
use crate::options::AddOptions;
use crate::outcome::AddOutcome;

/// What stands at a path in a directory.
pub(crate) enum Walked {
    /// A regular file, open for reading.
    File(File),
    /// What is not added, and why.
    Other(AddOutcome),
}

/// A directory that is being read.
struct WalkFrame {
    dir: File,
    path: PathBuf,
    /// The names that are left, the next one last.
    names: Vec<OsString>,
}

/// Calls `each` for the entries of a directory that are not directories themselves, those of
/// one directory in the order of their names. Each is opened relative to its open directory, so
/// that no link leads elsewhere, even if names are replaced meanwhile.
pub(crate) fn walk(
    root: &Path,
    options: &AddOptions,
    each: &mut dyn FnMut(&Path, Walked) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut walk = Walk {
        left: options.entries,
        options,
        each,
    };
    let held = match folder(root) {
        Ok(held) => held,
        Err(error) => return walk.failed(root, error.into()),
    };
    let dir = File::from(held);
    let device = match dir.metadata() {
        Ok(metadata) => metadata.dev(),
        Err(error) => return walk.failed(root, StoreError::of_file("stat", root, error)),
    };
    let mut frames = Vec::new();
    frames.extend(walk.list(dir, root)?);
    while let Some(frame) = frames.last_mut() {
        let Some(name) = frame.names.pop() else {
            frames.pop();
            continue;
        };
        let path = frame.path.join(&name);
        let held = match hold_at(&frame.dir, Path::new(&name)) {
            Ok(held) => File::from(held),
            Err(error) => {
                walk.failed(&path, error.with_path(&path).into())?;
                continue;
            }
        };
        match held.metadata() {
            Ok(metadata) if !metadata.is_dir() => (walk.each)(&path, opened(held.into(), &path))?,
            Ok(metadata) if metadata.dev() != device => {
                (walk.each)(&path, Walked::Other(AddOutcome::OtherFilesystem))?;
            }
            Ok(_) if frames.len() >= options.depth => {
                let limit = options.depth;
                walk.failed(&path, StoreError::TooDeep { limit })?;
            }
            Ok(_) => frames.extend(walk.list(held, &path)?),
            Err(error) => walk.failed(&path, StoreError::of_file("stat", &path, error))?,
        }
    }
    Ok(())
}

struct Walk<'w> {
    /// How many more entries are read.
    left: u64,
    options: &'w AddOptions,
    each: &'w mut dyn FnMut(&Path, Walked) -> Result<(), StoreError>,
}

impl Walk<'_> {
    /// Reads the names in a directory. Those beyond the limit are reported and left out.
    fn list(&mut self, dir: File, path: &Path) -> Result<Option<WalkFrame>, StoreError> {
        let entries = match fs::read_dir(path_of(&dir)) {
            Ok(entries) => entries,
            Err(error) => {
                self.failed(path, StoreError::of_file("list", path, error))?;
                return Ok(None);
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            let Some(left) = self.left.checked_sub(1) else {
                let limit = self.options.entries;
                self.failed(path, StoreError::TooManyEntries { limit })?;
                break;
            };
            self.left = left;
            match entry {
                Ok(entry) => names.push(entry.file_name()),
                Err(error) => {
                    self.failed(path, StoreError::of_file("list", path, error))?;
                    break;
                }
            }
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        let path = path.to_owned();
        Ok(Some(WalkFrame { dir, path, names }))
    }

    fn failed(&mut self, path: &Path, error: StoreError) -> Result<(), StoreError> {
        (self.each)(path, Walked::Other(AddOutcome::Failed(error)))
    }
}

fn opened(held: OwnedFd, path: &Path) -> Walked {
    let error: FileError = match reopen(held) {
        Ok((file, _)) => return Walked::File(file),
        Err(error) => error,
    };
    Walked::Other(match error.error() {
        Error::NotRegular(NonRegularKind::Link) => AddOutcome::Link,
        Error::NotRegular(kind) => AddOutcome::NotRegular(*kind),
        _ => AddOutcome::Failed(error.with_path(path).into()),
    })
}
