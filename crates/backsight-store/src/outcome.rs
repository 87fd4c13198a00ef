//! What became of a file that was to be added.

use std::fmt;
use std::path::PathBuf;

use backsight_files::NonRegularKind;

use crate::error::StoreError;
use crate::identify::Unidentified;
use crate::stored::StoredFile;

/// What became of a file that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddOutcome {
    /// It is in the store now.
    Added {
        /// The file in the store.
        file: StoredFile,
        /// Whether it is a hard link to the file that was named, and not a copy.
        is_linked: bool,
    },
    /// The store has a file of this build and kind, at this path.
    AlreadyThere(PathBuf),
    /// It has no build ID, and a Breakpad file always has a debug ID.
    NoBuildId,
    /// It is neither ELF nor GSYM nor a Breakpad symbol file.
    NotRecognized,
    /// An ELF file with neither code nor DWARF nor symbols.
    Empty,
    /// A symbolic link in a directory, which is not followed.
    Link,
    /// A FIFO, device or socket in a directory, which is not opened.
    NotRegular(NonRegularKind),
    /// A directory where another filesystem is mounted, which is not entered.
    OtherFilesystem,
    /// It could not be added.
    Failed(StoreError),
}

impl From<Unidentified> for AddOutcome {
    fn from(why: Unidentified) -> Self {
        match why {
            Unidentified::NoBuildId => Self::NoBuildId,
            Unidentified::NotRecognized => Self::NotRecognized,
            Unidentified::Empty => Self::Empty,
            Unidentified::Failed(error) => Self::Failed(error),
        }
    }
}

impl fmt::Display for AddOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { file, is_linked } => {
                let how = if *is_linked { "linked" } else { "added" };
                write!(f, "{how} as {}", file.path.display())
            }
            Self::AlreadyThere(path) => write!(f, "already there: {}", path.display()),
            Self::NoBuildId => f.write_str("no build ID: link it with -Wl,--build-id"),
            Self::NotRecognized => f.write_str("neither ELF nor GSYM nor a Breakpad symbol file"),
            Self::Empty => f.write_str("an ELF file without code, debug information and symbols"),
            Self::Link => f.write_str("a symbolic link, which is not followed"),
            Self::NotRegular(kind) => write!(f, "not a regular file but {kind}"),
            Self::OtherFilesystem => {
                f.write_str("another filesystem, which is not entered: name it to add its files")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}
