//! Which lists of names are read.

use std::path::PathBuf;
use std::time::SystemTime;

/// Whose lists of names are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapsOf {
    /// Those of this process's own user, and of root.
    #[default]
    Own,
    /// Those of other users too.
    All,
    /// None.
    Nobody,
}

/// Which lists of names (`perf-PID.map`) are read for the processes of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapOptions {
    /// Whose.
    pub of: MapsOf,
    /// The folder that the recording is in: lists in it were put there for it.
    pub(crate) folder: Option<PathBuf>,
    /// When the recording was begun and ended, as its file says.
    pub(crate) created: Option<SystemTime>,
    pub(crate) modified: Option<SystemTime>,
}

impl MapOptions {
    /// With those of other users, or none.
    #[must_use]
    pub fn with_maps_of(self, of: MapsOf) -> Self {
        Self { of, ..self }
    }

    /// Looks beside a recording too, and learns from its file when it was made: a list that
    /// is older than a process which began later is another's.
    #[must_use]
    pub fn with_recording(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let metadata = path.metadata().ok();
        let metadata = metadata.as_ref();
        let folder = path.parent().map(|folder| match folder.as_os_str() {
            here if here.is_empty() => PathBuf::from("."),
            _ => folder.to_owned(),
        });
        Self {
            folder,
            created: metadata.and_then(|it| it.created().ok()),
            modified: metadata.and_then(|it| it.modified().ok()),
            ..self
        }
    }
}
