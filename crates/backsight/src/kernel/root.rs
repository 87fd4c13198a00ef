//! The directory beneath which the kernel's files are.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use backsight_files::{By, Error, FileError};

/// A directory with `proc`, `sys`, `boot` and `lib` of the running kernel. Its caller names it,
/// so what stands in it is opened as what a caller names.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Returns the path by which this host knows a file.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.0.join(inside.trim_start_matches('/'))
    }

    pub(super) fn as_path(&self) -> &Path {
        &self.0
    }

    /// Opens a regular file, without waiting for anything.
    pub(super) fn open(&self, inside: &str) -> Result<File, FileError> {
        backsight_files::open(&self.path(inside), By::Caller)
    }

    /// Reads a whole file of at most `limit` bytes.
    pub(super) fn read(&self, inside: &str, limit: u64) -> Result<Vec<u8>, FileError> {
        let file = self.open(inside)?;
        let failed = |error: Error| FileError::new("read", Some(&self.path(inside)), error);
        let mut bytes = Vec::new();
        let mut bounded = file.take(limit.saturating_add(1));
        let read = bounded.read_to_end(&mut bytes);
        read.map_err(|error| failed(error.into()))?;
        match bounded.limit() {
            0 => Err(failed(Error::TooLarge { limit })),
            _ => Ok(bytes),
        }
    }

    /// Reads a short text: a number or a name in one line.
    pub(super) fn line(&self, inside: &str) -> Option<String> {
        let bytes = self.read(inside, MAX_LINE_BYTES).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        Some(text.trim().to_owned())
    }
}

/// Such files have one page at most.
const MAX_LINE_BYTES: u64 = 4096;

/// Returns whether an error says that there is no such file.
pub(super) fn is_missing(error: &FileError) -> bool {
    matches!(error.error(), Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
}
