//! The metadata of a recording: machine, command, events and files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::bpf::{BpfProgramInfo, BtfBlob};
use crate::build_id::BuildId;

/// The metadata of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The name of the host.
    pub hostname: Option<String>,
    /// The release of its kernel.
    pub os_release: Option<String>,
    /// The version of perf.
    pub perf_version: Option<String>,
    /// The machine, as `uname -m` prints it.
    pub arch: Option<String>,
    /// The processor.
    pub cpu: Option<String>,
    /// The arguments of the command that made the recording.
    pub command: Vec<String>,
    /// The events that were recorded.
    pub events: Vec<EventType>,
    /// The build IDs of files. `perf record` reads them when it ends.
    pub build_ids: Vec<FileBuildId>,
    /// The BPF programs that were there, without those that a pipe leaves out.
    pub bpf_programs: Vec<BpfProgramInfo>,
    /// Their type information.
    pub btf: Vec<BtfBlob>,
    /// The same time in nanoseconds since 1970 and on the recording's clock.
    pub clock: Option<(u64, u64)>,
    /// The number of that clock in `clock_gettime`.
    pub clock_id: Option<u32>,
}

/// The build ID of a file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBuildId {
    /// The path, as in mappings; `[kernel.kallsyms]` for the kernel's image.
    pub path: Vec<u8>,
    /// Its build ID.
    pub build_id: BuildId,
    /// Whether it is the kernel's image or one of its modules.
    pub is_kernel: bool,
}

impl FileBuildId {
    /// Returns the path as a [`Path`].
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
    /// The number of units between two samples, if it is fixed.
    pub period: Option<u64>,
    /// The intended number of samples per second, if the period is adjusted to reach it.
    pub frequency: Option<u64>,
    /// Whether a sample is taken each time that a thread is scheduled out.
    pub is_of_switches: bool,
    /// Whether its samples are not recorded but follow from [`Event::Switched`]: each time that a
    /// thread is scheduled out, with the stack of the thread's last sample of another event.
    ///
    /// [`Event::Switched`]: crate::trace::Event::Switched
    pub has_last_stacks: bool,
}

impl EventType {
    /// Returns an event with this name, whose periods count occurrences.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: EventUnit::Count,
            period: None,
            frequency: None,
            is_of_switches: false,
            has_last_stacks: false,
        }
    }
}

/// What the periods of an event count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventUnit {
    /// The number of occurrences.
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
