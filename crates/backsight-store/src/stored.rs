//! A file of the store.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use backsight_types::{BuildId, DebugId};

/// A file that was added to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredFile {
    /// What it is.
    pub kind: StoredKind,
    /// The build ID; `None` for a Breakpad file, which is found by its debug ID.
    pub build_id: Option<BuildId>,
    /// The debug ID of a Breakpad file.
    pub debug_id: Option<DebugId>,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The name that it had where it was added from.
    pub name: OsString,
    /// When it was last read or added.
    pub last_used: SystemTime,
}

/// What a file of the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StoredKind {
    /// An executable, a library or a kernel module, with or without DWARF.
    Executable,
    /// A separate debug file, or an executable with DWARF beside one that has none.
    DebugFile,
    /// A GSYM file.
    Gsym,
    /// A Breakpad symbol file.
    Breakpad,
}

impl StoredKind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Executable,
        Self::DebugFile,
        Self::Gsym,
        Self::Breakpad,
    ];

    /// Returns the name in the listing and in records: one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::DebugFile => "debuginfo",
            Self::Gsym => "gsym",
            Self::Breakpad => "breakpad",
        }
    }
}

impl fmt::Display for StoredKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
