//! Where a recording is read from, and what is taken of it.

use std::io::{self, Read, Seek};
use std::path::PathBuf;

use backsight_formats::perf_data::{self, Reader};

use crate::jit::options::MapOptions;

/// What is taken of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordingOptions {
    /// Whether samples that are alike but for their time become one.
    pub summed: bool,
    /// The events that are called so, instead of all: see [`is_called`](crate::is_called).
    pub event: Option<String>,
    /// Where the names of code come from that was made at run time.
    pub maps: MapOptions,
}

impl RecordingOptions {
    /// Whether samples that are alike but for their time become one.
    #[must_use]
    pub fn with_summed(self, summed: bool) -> Self {
        Self { summed, ..self }
    }

    /// Takes the events that are called so alone.
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
    /// A file cannot be opened, or a directory not be listed.
    #[error("{operation} {}: {error}", path.display())]
    Io {
        /// What was to be done: `open` or `list`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A directory that `perf record --threads` did not make.
    #[error("{}: a directory without a recording of perf", path.display())]
    NotInFolder {
        /// The directory.
        path: PathBuf,
    },
    /// It is none, or its beginning is damaged.
    #[error(transparent)]
    Read(#[from] perf_data::Error),
    /// No event is called as the options have it.
    #[error("no event is called {wanted}: the recording has {}", events.join(", "))]
    NoSuchEvent {
        /// What was asked for.
        wanted: String,
        /// What the events are called.
        events: Vec<String>,
    },
}

/// Where a recording is read from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recording<R> {
    /// A file, and those that belong to it: see [`Reader::directory`].
    Files(Vec<R>),
    /// What cannot go back.
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
