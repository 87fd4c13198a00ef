//! What a recording says of the machine, the command, the events and the files it is of.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::build_id::BuildId;

/// What a recording says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The name of the host.
    pub hostname: Option<String>,
    /// The release of its kernel.
    pub os_release: Option<String>,
    /// The version of perf.
    pub perf_version: Option<String>,
    /// The machine, as `uname -m` names it.
    pub arch: Option<String>,
    /// The processor.
    pub cpu: Option<String>,
    /// The words of the command line that made the recording.
    pub command: Vec<String>,
    /// The events that were recorded.
    pub events: Vec<EventType>,
    /// The build IDs of files. `perf record` reads them when it ends.
    pub build_ids: Vec<FileBuildId>,
    /// One instant in nanoseconds since 1970, and on the recording's clock.
    pub clock: Option<(u64, u64)>,
    /// Which clock that is, as `clock_gettime` numbers them.
    pub clock_id: Option<u32>,
}

/// The build ID of a file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBuildId {
    /// The path, as mappings name it; `[kernel.kallsyms]` for the kernel's image.
    pub path: Vec<u8>,
    /// Its build ID.
    pub build_id: BuildId,
    /// Whether the kernel has it mapped.
    pub is_kernel: bool,
}

impl FileBuildId {
    /// Returns the path as the standard library has it.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }
}

/// An event that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventType {
    /// Its name, such as `cpu-clock`.
    pub name: String,
    /// What its periods count.
    pub unit: EventUnit,
    /// A sample was taken each so many units, when that was fixed beforehand.
    pub period: Option<u64>,
    /// So many samples a second were aimed at.
    pub frequency: Option<u64>,
    /// Whether there is a sample each time that a thread gives its processor away.
    pub is_of_switches: bool,
}

impl EventType {
    /// Begins an event that is called so, whose periods count how often it happened.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: EventUnit::Count,
            period: None,
            frequency: None,
            is_of_switches: false,
        }
    }
}

/// What the periods of an event count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventUnit {
    /// How often it happened.
    Count,
    /// Nanoseconds of a clock.
    Nanoseconds,
}

impl EventUnit {
    /// Returns the unit's name in a profile.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}
