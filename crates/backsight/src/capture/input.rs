//! The input of a recording, and the options for reading it.

use std::io::{Read, Seek};
use std::path::PathBuf;

use backsight_formats::perf_data::{self, Problems, ReadEnd, Reader};
use backsight_types::FileError;

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
    File(#[from] backsight_files::FileError),
    /// The directory was not written by `perf record --threads`.
    #[error("{}: not a recording of perf: the directory has no file `data`", path.display())]
    NotInFolder {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not a recording, its header is damaged, or it cannot be read. The path is
    /// `None` for an input without a path: a [`Recording::Pipe`], or [`Recording::Files`].
    #[error(transparent)]
    Read(#[from] FileError<perf_data::Error>),
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
    /// The same with the paths of the files, which errors name.
    NamedFiles(Vec<(PathBuf, R)>),
    /// A stream without seeking.
    Pipe(R),
}

impl<R: Read + Seek> Recording<R> {
    pub(super) fn open(self) -> Result<(Reader<R>, RecordingPaths), RecordingError> {
        let mut paths = RecordingPaths::default();
        let opened = match self {
            Self::Pipe(input) => Reader::stream(input),
            Self::Files(files) => of_files(files),
            Self::NamedFiles(files) => {
                let (names, files) = files.into_iter().unzip();
                paths = RecordingPaths(names);
                of_files(files)
            }
        };
        // Only the header of the first file is read here.
        let opened = opened.map_err(|error| paths.error(0, error))?;
        Ok((opened, paths))
    }
}

fn of_files<R: Read + Seek>(files: Vec<R>) -> Result<Reader<R>, perf_data::Error> {
    let mut files = files.into_iter();
    let first = files.next().ok_or(perf_data::Error::NotPerfData)?;
    Reader::directory(first, files.collect())
}

/// The paths of the files of a recording, in order; empty if they are not known.
#[derive(Debug, Default)]
pub(super) struct RecordingPaths(Vec<PathBuf>);

impl RecordingPaths {
    fn error<E>(&self, file: usize, error: E) -> FileError<E> {
        let path = self.0.get(file).map(PathBuf::as_path);
        FileError::new("read", path, error)
    }

    /// Returns the files that were not read to their end, and why.
    pub(super) fn cut_short<'p>(
        &self,
        problems: &'p Problems,
    ) -> impl Iterator<Item = FileError<&'p ReadEnd>> {
        let ends = problems.ends.iter();
        ends.map(|end| self.error(end.file, &end.reason))
    }
}
