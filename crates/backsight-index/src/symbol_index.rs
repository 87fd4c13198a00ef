//! The flat index as a public value: built once, kept in a file, used later.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use backsight_files::{By, FileError, Identity, Image, Whole};
use backsight_types::BuildId;

use crate::format::{FlatIndex, IndexError};
use crate::read_options::ReadOptions;

/// All that a module's debug files say of its code, as sorted tables.
///
/// `docs/index-format.md` describes the file. An index holds what lookups need
/// and nothing else; it stands in for the debug files, which may be gone.
#[derive(Debug)]
pub struct SymbolIndex {
    pub(crate) index: FlatIndex,
    /// Whether others decide what a file says that it was built from, or it itself.
    pub(crate) is_of_strangers: bool,
}

/// One table of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSize {
    /// What it holds.
    pub name: &'static str,
    /// How many rows it has; of texts, how many bytes.
    pub rows: usize,
    /// What it takes in a file.
    pub bytes: usize,
}

impl SymbolIndex {
    /// An index built from files that only root and we can change.
    pub(crate) fn of_index(index: FlatIndex) -> Self {
        Self {
            index,
            is_of_strangers: false,
        }
    }

    /// Stores the demangled names of all functions, in rayon's current thread pool.
    ///
    /// Lookups need not make them then, and readers of the file no demangler; the
    /// index takes longer to build and more room.
    /// Names of more than `name_bytes` bytes stay as they are.
    pub fn add_demangled(&mut self, name_bytes: usize) {
        self.index.add_demangled(name_bytes);
    }

    /// Opens an index file. Costs the same for any size: what is in the tables is
    /// checked where it is used.
    ///
    /// # Errors
    /// All causes but [`IndexCause::BuildIdMismatch`].
    pub fn open(path: &Path, options: impl Into<ReadOptions>) -> Result<Self, IndexError> {
        let file = backsight_files::open(path, By::Caller)?;
        Self::of_file(&file, path, &options.into())
    }

    /// Takes an open index file; the path is for messages.
    pub(crate) fn of_file(
        file: &File,
        path: &Path,
        options: &ReadOptions,
    ) -> Result<Self, IndexError> {
        let image = Image::of_file(file, options.access, options.file_bytes);
        let image = image.map_err(|error| error.with_path(path))?;
        let index = FlatIndex::open(image);
        let index = index.map_err(|cause| IndexError::of_file("read", path, cause))?;
        let identity =
            Identity::of(file).map_err(|error| IndexError::of_file("stat", path, error))?;
        Ok(Self {
            index,
            is_of_strangers: !identity.is_ours,
        })
    }

    /// Takes the bytes of an index file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: std::sync::Arc<[u8]>) -> Result<Self, IndexError> {
        let index = FlatIndex::open(Image::from(bytes));
        let index = index.map_err(|cause| IndexError::new("read", None, cause))?;
        Ok(Self {
            index,
            is_of_strangers: false,
        })
    }

    /// Writes the index to `path`, all of it or nothing: to a file without a
    /// name, which is then linked at `path`. Concurrent writers and readers see one whole file
    /// or another. A process that is killed meanwhile leaves nothing, except on filesystems
    /// without unnamed files, where a temporary file stays beside `path`.
    ///
    /// # Errors
    /// [`IndexCause::File`].
    pub fn write(&self, path: &Path) -> Result<(), IndexError> {
        Ok(self.write_whole(path)?)
    }

    pub(crate) fn write_whole(&self, path: &Path) -> Result<(), FileError> {
        let unwritten = |error: std::io::Error| FileError::new("write", Some(path), error);
        // One that others can write to would not be used.
        let file = Whole::begin(path, 0o644)?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        self.write_to(&mut out).map_err(unwritten)?;
        let file = out.into_inner();
        let file = file.map_err(|error| unwritten(error.into_error()))?;
        file.finish()
    }

    /// Writes the index as the bytes of its file.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl Write) -> std::io::Result<()> {
        self.index.write(out)
    }

    /// Reads the index through: checksums, the order of its rows, and that each
    /// place a row points to is there.
    ///
    /// # Errors
    /// [`IndexCause::Malformed`] with what is wrong; the path is not known here.
    pub fn verify(&self) -> Result<(), IndexError> {
        let verified = self.index.verify();
        verified.map_err(|cause| IndexError::new("verify", None, cause))
    }

    /// Says whether others than root and this process's user can change a file that it was
    /// built from: it is then kept in no [directory](crate::IndexDir). An index built by
    /// hand is not.
    #[must_use]
    pub fn with_strangers(self, is_of_strangers: bool) -> Self {
        Self {
            is_of_strangers,
            ..self
        }
    }

    /// Returns whether others can change a file that it was built from, or that it was
    /// read from.
    #[must_use]
    pub fn is_of_strangers(&self) -> bool {
        self.is_of_strangers
    }

    /// Moves its tables into pages of their own, which go back to the system with it.
    #[must_use]
    pub fn into_pages(self) -> Self {
        Self {
            index: self.index.into_pages(),
            ..self
        }
    }

    /// Returns the bytes of memory that its tables take: none when they are mapped.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.index.kept_bytes()
    }

    /// Returns the build ID of the module it describes.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        self.index.build_id()
    }

    /// Returns whether a limit left something out of it.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        self.index.meta().limited
    }

    /// Returns whether debug information, or a part of it that stands in a file of
    /// its own, was not found when it was built: then it says no more than the files
    /// that were.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.index.meta().incomplete
    }

    /// Returns what takes how much room, in the order of the file.
    #[must_use]
    pub fn tables(&self) -> Vec<TableSize> {
        let tables = self.index.tables().into_iter();
        let sizes = tables.map(|(kind, bytes)| TableSize {
            name: kind.name(),
            rows: bytes.len().checked_div(kind.row_size()).unwrap_or(0),
            bytes: bytes.len(),
        });
        sizes.collect()
    }

    /// Returns the size of the file that [`write`](Self::write) writes, in bytes.
    #[must_use]
    pub fn file_size(&self) -> usize {
        self.index.file_size()
    }
}
