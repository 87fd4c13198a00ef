//! The input of a recording, and the options for reading it.

use std::io::{Read, Seek};
use std::path::PathBuf;

use backsight_files::FileError;
use backsight_formats::perf_data::{self, Reader};

use crate::jit::options::MapOptions;

/// How to read a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordingOptions {
    /// Whether samples that differ only in time are summed to one.
    pub summed: bool,
    /// Take only events of this name: see [`is_called`](crate::is_called). `None` takes all.
    pub event: Option<String>,
    /// Where the names of code come from that was made at run time.
    pub maps: MapOptions,
}

impl RecordingOptions {
    /// Sets whether samples that differ only in time are summed to one.
    #[must_use]
    pub fn with_summed(self, summed: bool) -> Self {
        Self { summed, ..self }
    }

    /// Takes only events of this name; `None` takes all.
    #[must_use]
    pub fn with_event(self, event: Option<String>) -> Self {
        Self { event, ..self }
    }

    /// Names code that was made at run time by these lists.
    #[must_use]
    pub fn with_maps(self, maps: MapOptions) -> Self {
        Self { maps, ..self }
    }
}

/// Why a recording cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// A file cannot be opened, or a directory cannot be listed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory was not written by `perf record --threads`.
    #[error("{}: not a recording of perf: the directory has no file `data`", path.display())]
    NotInFolder {
        /// The directory.
        path: PathBuf,
    },
    /// The input is not a recording, or its header is damaged.
    #[error(transparent)]
    Read(#[from] perf_data::Error),
    /// No event has the requested name.
    #[error("no event is named {wanted}: the recording has {}", events.join(", "))]
    NoSuchEvent {
        /// The requested name.
        wanted: String,
        /// The names of the recording's events.
        events: Vec<String>,
    },
}

/// The input of a recording.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recording<R> {
    /// Files of one recording: see [`Reader::directory`].
    Files(Vec<R>),
    /// A stream without seeking.
    Pipe(R),
}

impl<R: Read + Seek> Recording<R> {
    pub(super) fn open(self) -> Result<Reader<R>, perf_data::Error> {
        match self {
            Self::Pipe(input) => Reader::stream(input),
            Self::Files(files) => {
                let mut files = files.into_iter();
                let first = files.next().ok_or(perf_data::Error::NotPerfData)?;
                Reader::directory(first, files.collect())
            }
        }
    }
}
