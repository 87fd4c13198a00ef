//! The public type of an index, and reading and writing its file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use backsight_files::{By, FileError, Identity, Image, Whole};
use backsight_types::BuildId;

use crate::format::{FlatIndex, IndexError};
use crate::read_options::ReadOptions;

/// The symbol index of a module: functions, inlined calls and lines as sorted tables.
///
/// `docs/index-format.md` describes the file. An index has everything that lookups need,
/// so the debug files are no longer needed.
#[derive(Debug)]
pub struct SymbolIndex {
    pub(crate) index: FlatIndex,
    /// Whether other users can change the index file or a file that the index was built
    /// from.
    pub(crate) is_untrusted: bool,
}

/// One table of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSize {
    /// Its name.
    pub name: &'static str,
    /// The number of rows; for texts, the number of bytes.
    pub rows: usize,
    /// Its size in the file.
    pub bytes: usize,
}

impl SymbolIndex {
    /// Returns an index that was built from files that only root and this user can
    /// change.
    pub(crate) fn of_index(index: FlatIndex) -> Self {
        Self {
            index,
            is_untrusted: false,
        }
    }

    /// Stores the demangled names of all functions, in rayon's current thread pool.
    ///
    /// Lookups then do not demangle, and other readers of the file need no demangler. The
    /// index takes longer to build and is larger. Names that would exceed `name_bytes`
    /// bytes are not demangled.
    pub fn add_demangled(&mut self, name_bytes: usize) {
        self.index.add_demangled(name_bytes);
    }

    /// Opens an index file. The time does not depend on its size: the rows of the tables
    /// are checked when they are used.
    ///
    /// # Errors
    /// All causes but [`IndexCause::OtherBuild`](crate::IndexCause::OtherBuild) and
    /// [`IndexCause::NoBuildId`](crate::IndexCause::NoBuildId).
    pub fn open(path: &Path, options: impl Into<ReadOptions>) -> Result<Self, IndexError> {
        let file = backsight_files::open(path, By::Caller)?;
        Self::of_file(&file, path, &options.into())
    }

    /// Reads an open index file; the path is for messages.
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
            is_untrusted: !identity.is_ours,
        })
    }

    /// Reads the bytes of an index file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: std::sync::Arc<[u8]>) -> Result<Self, IndexError> {
        let index = FlatIndex::open(Image::from(bytes));
        let index = index.map_err(|cause| IndexError::new("read", None, cause))?;
        Ok(Self {
            index,
            is_untrusted: false,
        })
    }

    /// Writes the index to `path` atomically: to an unnamed file, which is then linked at
    /// `path`. Concurrent writers and readers never see a partial file. A process that is
    /// killed meanwhile leaves nothing, except on filesystems without unnamed files,
    /// where a temporary file remains next to `path`.
    ///
    /// # Errors
    /// [`IndexCause::File`](crate::IndexCause::File).
    pub fn write(&self, path: &Path) -> Result<(), IndexError> {
        Ok(self.write_whole(path)?)
    }

    pub(crate) fn write_whole(&self, path: &Path) -> Result<(), FileError> {
        let unwritten = |error: std::io::Error| FileError::new("write", Some(path), error);
        // An index that other users can write to would not be used.
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

    /// Checks the whole index: checksums, the order of rows, and that each row that is
    /// referred to exists.
    ///
    /// # Errors
    /// [`IndexCause::Malformed`](crate::IndexCause::Malformed) with the part that is wrong. The error has no path.
    pub fn verify(&self) -> Result<(), IndexError> {
        let verified = self.index.verify();
        verified.map_err(|cause| IndexError::new("verify", None, cause))
    }

    /// Sets whether users other than root and the user of this process can change a file
    /// that it was built from. If so, no [directory](crate::IndexDir) keeps it. The
    /// default is `false` for an index of an [`IndexBuilder`](crate::IndexBuilder).
    #[must_use]
    pub fn with_untrusted(self, is_untrusted: bool) -> Self {
        Self {
            is_untrusted,
            ..self
        }
    }

    /// Returns whether other users can change a file that it was built from or read from.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        self.is_untrusted
    }

    /// Moves its tables to separate memory pages, which are returned to the OS when it is
    /// dropped.
    #[must_use]
    pub fn into_pages(self) -> Self {
        Self {
            index: self.index.into_pages(),
            ..self
        }
    }

    /// Returns the memory of its tables in bytes; 0 if they are mapped.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.index.kept_bytes()
    }

    /// Returns the build ID of the module.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        self.index.build_id()
    }

    /// Returns whether it is incomplete because a limit was reached.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        self.index.meta().limited
    }

    /// Returns whether debug information, or a separate file with a part of it, was not
    /// found when it was built. Then it has only the data of the files that were found.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.index.meta().incomplete
    }

    /// Returns the sizes of the tables, in the order of the file.
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
