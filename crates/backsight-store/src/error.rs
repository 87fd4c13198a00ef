//! Why the store, or a file of it, cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use backsight_files::FileError;

/// Why the store, or a file of it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A failed operation on a file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others can change this directory of the store: they could put other files there.
    #[error("{}: others can change it: its owner must be this user or root, and nobody else may write to it", .0.display())]
    NotOurs(PathBuf),
    /// Another process holds the lock for longer than 30 s.
    #[error("{}: another process is changing this store: try again when it has ended", .0.display())]
    Busy(PathBuf),
    /// It is an ELF or symbol file, and damaged.
    #[error("{0}")]
    Damaged(String),
    /// The file at its place has another build ID, or cannot be read.
    #[error("its place in the store is taken by another file: remove {}, and add it again", .0.display())]
    Occupied(PathBuf),
    /// It is larger than [`AddOptions::file_bytes`](crate::AddOptions::file_bytes).
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Its copy has another build ID than it had at first.
    #[error("it changed while it was copied: add it again")]
    Changed,
    /// A build ID of one byte leaves nothing for the file name.
    #[error("a build ID of one byte, for which the layout has no place")]
    ShortBuildId,
    /// The name of the module in a Breakpad file cannot be that of a directory.
    #[error("its module has a name that cannot be a directory's")]
    ModuleName,
    /// The directory has more entries than [`AddOptions::entries`](crate::AddOptions::entries).
    #[error("more than {limit} entries, and the rest was not read: name its subdirectories")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// The directory is deeper than [`AddOptions::depth`](crate::AddOptions::depth).
    #[error("nested more than {limit} directories deep, and not read: name it")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The record of a file of the store is not one that this version writes.
    #[error("{}: not a record of this version: remove it, and the store no longer counts its file as its own", .0.display())]
    BadRecord(PathBuf),
}

impl StoreError {
    /// A failed operation on a file or directory.
    pub(crate) fn of_file(operation: &'static str, path: &Path, error: io::Error) -> Self {
        Self::File(FileError::new(operation, Some(path), error))
    }
}
