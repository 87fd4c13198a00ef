//! Where a recording is read from, and what is taken of it.

use std::io::{Read, Seek};

use backsight_formats::perf_data::{Error, Reader};

/// What is taken of a recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How<'a> {
    /// Samples that are alike but for their time become one.
    pub(crate) summed: bool,
    /// The events that are called so, instead of all.
    pub(crate) event: Option<&'a str>,
}

/// Where a recording is read from.
pub(crate) enum Recording<R> {
    /// A file, and those that belong to it: see [`Reader::directory`].
    Files(Vec<R>),
    /// What cannot go back.
    Pipe(R),
}

impl<R: Read + Seek> Recording<R> {
    pub(super) fn open(self) -> Result<Reader<R>, Error> {
        match self {
            Self::Pipe(input) => Reader::stream(input),
            Self::Files(files) => {
                let mut files = files.into_iter();
                let first = files.next().ok_or(Error::NotPerfData)?;
                Reader::directory(first, files.collect())
            }
        }
    }
}
