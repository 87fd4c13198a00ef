//! A bucket, as a fetcher.

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use backsight_elf::ElfContents;
use backsight_files::{By, FileError, Whole};
use backsight_store::{AddOptions, AddOutcome, StoredKind};
use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};
use backsight_types::BuildId;

use crate::error::BucketError;
use crate::options::BucketOptions;
use crate::remote::Remote;

/// A bucket with files by build ID.
#[derive(Debug)]
pub struct BucketFetcher {
    options: BucketOptions,
    /// `None` for a directory.
    remote: Option<Remote>,
}

impl BucketFetcher {
    /// Checks the options. No connection is made before a file is asked for.
    ///
    /// # Errors
    /// [`BucketError::UnknownSetting`], and [`BucketError::Service`] for settings that are wrong
    /// or missing.
    pub fn new(options: BucketOptions) -> Result<Self, BucketError> {
        let remote = Remote::new(&options)?;
        Ok(Self { options, remote })
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
        let Some(path) = path_of(id, kind) else {
            return Ok(None);
        };
        let prefix = self.options.url.prefix();
        let Some(remote) = &self.remote else {
            return open_in(Path::new(prefix), &path);
        };
        let store = &self.options.store;
        if let Some(kept) = store.get(id, kind)? {
            return Ok(Some(kept));
        }
        let object = match prefix.is_empty() {
            true => path,
            false => format!("{prefix}/{path}"),
        };
        let mut file = self.incoming()?;
        if !remote.receive(&object, &mut file, &self.options)? {
            return Ok(None);
        }
        let contents = ElfContents::read(file.as_file());
        if contents.map_or(None, |contents| contents.build_id) != Some(*id) {
            return Err(BucketError::WrongBuildId);
        }
        let name = object.rsplit('/').next().unwrap_or(&object);
        let mut options = AddOptions::default();
        options.file_bytes = self.options.file_bytes;
        match store.add_file(file.as_file(), Path::new(name), &options)? {
            AddOutcome::Added { .. } | AddOutcome::AlreadyThere(_) => {}
            AddOutcome::Failed(error) => return Err(error.into()),
            _ => return Err(BucketError::WrongKind),
        }
        let kept = store.get(id, kind)?.ok_or(BucketError::WrongKind)?;
        store.collect(self.options.store_bytes)?;
        Ok(Some(kept))
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
        match self.get(wanted.build_id, kind) {
            Ok(found) => Ok(found.map(|(file, path)| Fetched::new(file, path))),
            Err(error) => {
                let path = path_of(wanted.build_id, kind).unwrap_or_default();
                let name = format!("{}/{path}", self.options.url);
                Err(FetchError::new(name, error.to_string()))
            }
        }
    }
}

/// Opens a file of a directory, whose build ID the symbolizer proves.
fn open_in(dir: &Path, path: &str) -> Result<Option<(File, PathBuf)>, BucketError> {
    let path = dir.join(path);
    match backsight_files::open(&path, By::Folder) {
        Ok(file) => Ok(Some((file, path))),
        Err(error) if is_not_found(&error) => Ok(None),
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
