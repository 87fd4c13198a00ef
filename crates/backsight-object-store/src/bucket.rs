//! A bucket, as a fetcher.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use backsight_elf::ElfContents;
use backsight_files::{By, FileError, Whole};
use backsight_store::{AddOptions, AddOutcome, StoredKind};
use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use backsight_types::BuildId;

use crate::error::BucketError;
use crate::options::BucketOptions;
use crate::progress::BucketOngoing;
use crate::remote::Remote;
use crate::transfer::{BucketOutcome, BucketTransfer};

/// A bucket with files by build ID.
#[derive(Debug)]
pub struct BucketFetcher {
    options: BucketOptions,
    /// `None` for a directory.
    remote: Option<Remote>,
    /// The failures of the service since its last answer; as many as are allowed when no other
    /// file can be had either.
    failures: AtomicU32,
    only: Mutex<Option<HashSet<BuildId>>>,
    transfers: Mutex<Vec<BucketTransfer>>,
}

impl BucketFetcher {
    /// Checks the options. No connection is made before a file is asked for.
    ///
    /// # Errors
    /// [`BucketError::UnknownSetting`], and [`BucketError::Service`] for settings that are wrong
    /// or missing.
    pub fn new(options: BucketOptions) -> Result<Self, BucketError> {
        let remote = Remote::new(&options)?;
        Ok(Self {
            options,
            remote,
            failures: AtomicU32::new(0),
            only: Mutex::new(None),
            transfers: Mutex::default(),
        })
    }

    /// Returns its options.
    #[must_use]
    pub fn options(&self) -> &BucketOptions {
        &self.options
    }

    /// From now on, asks the service only for files of these modules. Files of others are used
    /// if they are in the store.
    pub fn ask_only_for(&self, modules: impl IntoIterator<Item = BuildId>) {
        *lock(&self.only) = Some(modules.into_iter().collect());
    }

    /// Returns what came of each file that was asked for, in this order.
    #[must_use]
    pub fn transfers(&self) -> Vec<BucketTransfer> {
        lock(&self.transfers).clone()
    }

    /// Returns the number of requests so far, those for credentials among them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.remote.as_ref().map_or(0, Remote::requests)
    }

    /// Returns a file of a build, and where it is kept; `None` when the bucket has none. The
    /// file is an [`Executable`](StoredKind::Executable) or a
    /// [`DebugFile`](StoredKind::DebugFile).
    ///
    /// # Errors
    /// Why it cannot be had, though it may be there.
    pub fn get(
        &self,
        id: &BuildId,
        kind: StoredKind,
    ) -> Result<Option<(File, PathBuf)>, BucketError> {
        self.get_if(id, kind, true)
    }

    /// Returns a file, from the store or, if `use_service`, from the service.
    fn get_if(
        &self,
        id: &BuildId,
        kind: StoredKind,
        use_service: bool,
    ) -> Result<Option<(File, PathBuf)>, BucketError> {
        let begun = Instant::now();
        let mut received_bytes = 0;
        let result = self.obtain(id, kind, use_service, &mut received_bytes);
        let (outcome, found) = match result {
            Ok((outcome, file)) => (outcome, Ok(file)),
            Err(error) => (BucketOutcome::Failed(error.clone()), Err(error)),
        };
        let transfer = BucketTransfer {
            build_id: *id,
            kind,
            received_bytes,
            elapsed: begun.elapsed(),
            outcome,
        };
        if let Some(progress) = &self.options.progress {
            progress.ended(&transfer);
        }
        lock(&self.transfers).push(transfer);
        found
    }

    fn obtain(
        &self,
        id: &BuildId,
        kind: StoredKind,
        use_service: bool,
        received_bytes: &mut u64,
    ) -> Result<Obtained, BucketError> {
        let Some(path) = path_of(id, kind) else {
            return Ok((BucketOutcome::Absent, None));
        };
        let prefix = self.options.url.prefix();
        let Some(remote) = &self.remote else {
            return open_in(Path::new(prefix), &path);
        };
        let store = &self.options.store;
        if let Some(kept) = store.get(id, kind)? {
            return Ok((BucketOutcome::Stored, Some(kept)));
        }
        if self.options.offline {
            return Ok((BucketOutcome::Offline, None));
        }
        if !use_service {
            return Ok((BucketOutcome::LeftOut, None));
        }
        let failures = self.failures.load(Ordering::Relaxed);
        if failures >= self.options.failures.max(1) {
            return Err(BucketError::GivenUp(failures));
        }
        let object = match prefix.is_empty() {
            true => path,
            false => format!("{prefix}/{path}"),
        };
        let mut file = self.incoming()?;
        let mut advanced = |received, bytes| {
            *received_bytes = received;
            if let Some(progress) = &self.options.progress {
                progress.advanced(&BucketOngoing {
                    bucket: &self.options.url,
                    build_id: id,
                    kind,
                    received_bytes: received,
                    bytes,
                });
            }
        };
        let received = remote.receive(&object, &mut file, &self.options, &mut advanced);
        self.note_health(&received);
        if !received? {
            return Ok((BucketOutcome::Absent, None));
        }
        let kept = self.keep(file.as_file(), &object, id, kind)?;
        Ok((BucketOutcome::Fetched, Some(kept)))
    }

    /// Counts failures of the service, which are no fault of one file.
    fn note_health(&self, received: &Result<bool, BucketError>) {
        match received {
            Err(error) if error.is_for_all() => {
                self.failures
                    .fetch_max(self.options.failures.max(1), Ordering::Relaxed);
            }
            Err(error) if error.is_of_service() => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.failures.store(0, Ordering::Relaxed),
        }
    }

    /// Adds a file to the store if it is the one that was asked for.
    fn keep(
        &self,
        file: &File,
        object: &str,
        id: &BuildId,
        kind: StoredKind,
    ) -> Result<(File, PathBuf), BucketError> {
        let store = &self.options.store;
        let contents = ElfContents::read(file);
        if contents.map_or(None, |contents| contents.build_id) != Some(*id) {
            return Err(BucketError::WrongBuildId);
        }
        let name = object.rsplit('/').next().unwrap_or(object);
        let mut options = AddOptions::default();
        options.file_bytes = self.options.file_bytes;
        match store.add_file(file, Path::new(name), &options)? {
            AddOutcome::Added { .. } | AddOutcome::AlreadyThere(_) => {}
            AddOutcome::Failed(error) => return Err(error.into()),
            _ => return Err(BucketError::WrongKind),
        }
        let kept = store.get(id, kind)?.ok_or(BucketError::WrongKind)?;
        store.collect(self.options.store_bytes)?;
        Ok(kept)
    }

    fn is_wanted(&self, module: &BuildId) -> bool {
        let only = lock(&self.only);
        only.as_ref().is_none_or(|only| only.contains(module))
    }

    /// Returns a file beside the store that has no name yet.
    fn incoming(&self) -> Result<Whole, BucketError> {
        let dir = self.options.store.path();
        let made = DirBuilder::new().recursive(true).mode(0o755).create(dir);
        made.map_err(|error| FileError::new("create", Some(dir), error))?;
        Ok(Whole::begin(&dir.join("incoming"), 0o600)?)
    }
}

impl Fetch for BucketFetcher {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let kind = match wanted.kind {
            SoughtKind::Module => StoredKind::Executable,
            SoughtKind::DebugFile | SoughtKind::Supplementary => StoredKind::DebugFile,
            _ => return Ok(None),
        };
        // A supplementary file is needed only if the debug file is here already.
        let use_service =
            wanted.kind == SoughtKind::Supplementary || self.is_wanted(wanted.build_id);
        match self.get_if(wanted.build_id, kind, use_service) {
            Ok(found) => Ok(found.map(|(file, path)| Fetched::new(file, path))),
            Err(error) => {
                let path = path_of(wanted.build_id, kind).unwrap_or_default();
                let name = format!("{}/{path}", self.options.url);
                Err(FetchError::new(name, error.to_string()))
            }
        }
    }
}

/// What came of a file, and the file.
type Obtained = (BucketOutcome, Option<(File, PathBuf)>);

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a file of a directory, whose build ID the symbolizer proves.
fn open_in(dir: &Path, path: &str) -> Result<Obtained, BucketError> {
    let path = dir.join(path);
    match backsight_files::open(&path, By::Folder) {
        Ok(file) => Ok((BucketOutcome::InDirectory, Some((file, path)))),
        Err(error) if is_not_found(&error) => Ok((BucketOutcome::Absent, None)),
        Err(error) => Err(error.into()),
    }
}

fn is_not_found(error: &FileError) -> bool {
    matches!(error.error(), backsight_files::Error::Io(error) if error.kind() == ErrorKind::NotFound)
}

/// Returns the path of a file in the bucket; `None` for a build ID of one byte.
fn path_of(id: &BuildId, kind: StoredKind) -> Option<String> {
    let digits = id.to_string();
    let (first, rest) = digits.split_at_checked(2)?;
    let ending = match kind {
        StoredKind::DebugFile => ".debug",
        _ => "",
    };
    (!rest.is_empty()).then(|| format!(".build-id/{first}/{rest}{ending}"))
}
