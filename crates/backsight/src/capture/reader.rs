//! A recording, read piece by piece.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use backsight_formats::perf_data::Reader;
use backsight_profile::Profile;

use super::builder::{Finished, ProfileBuilder};
use super::files::Unproven;
use super::folder::recording_files;
use super::input::{Recording, RecordingError, RecordingOptions};
use crate::find::ModuleFiles;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// A recording of `perf` that is being read.
///
/// ```no_run
/// use backsight::{ModuleFiles, PerfData, RecordingOptions};
///
/// let files = ModuleFiles::of_this_host();
/// let recording = PerfData::of_file("perf.data", RecordingOptions::default(), files)?;
/// let finished = recording.finish();
/// println!("{} stacks, {} records lost", finished.profile.stacks.len(), finished.lost);
/// # Ok::<(), backsight::RecordingError>(())
/// ```
#[derive(Debug)]
pub struct PerfData<R> {
    reader: Reader<R>,
    builder: ProfileBuilder,
    unproven: Unproven,
    is_finished: bool,
}

impl PerfData<BufReader<File>> {
    /// Opens the file that `perf record` wrote, or the directory that `perf record
    /// --threads` made. What its modules are is looked for in `files`.
    ///
    /// # Errors
    /// When it cannot be opened, or is no recording.
    pub fn of_file(
        path: impl AsRef<Path>,
        options: RecordingOptions,
        files: ModuleFiles,
    ) -> Result<Self, RecordingError> {
        let mut options = options;
        options.maps = options.maps.with_recording(path.as_ref());
        let all = recording_files(path.as_ref())?.into_iter();
        let all = all.map(|file| BufReader::with_capacity(BUFFER, file));
        Self::open(Recording::Files(all.collect()), options, files)
    }
}

impl<R: Read + Seek> PerfData<R> {
    /// Begins to read a recording. What its modules are is looked for in `files`.
    ///
    /// # Errors
    /// When it is none, or has not the event that was asked for.
    pub fn open(
        input: Recording<R>,
        options: RecordingOptions,
        files: ModuleFiles,
    ) -> Result<Self, RecordingError> {
        let reader = input.open()?;
        let builder = ProfileBuilder::new(reader.facts(), options, files)?;
        Ok(Self {
            reader,
            builder,
            unproven: Unproven::default(),
            is_finished: false,
        })
    }
}

impl<R: Read> PerfData<R> {
    /// Reads on until a piece is done, and returns whether there may be more. The samples
    /// of the profile may be taken out then.
    pub fn advance(&mut self) -> bool {
        if self.is_finished {
            return false;
        }
        let Self {
            reader, builder, ..
        } = self;
        while let Some(event) = reader.next() {
            if builder.take(event) {
                builder.set_events(&reader.facts().events);
                return true;
            }
        }
        self.unproven = builder.conclude(reader.facts());
        self.is_finished = true;
        false
    }

    /// Returns what was read up to now.
    pub fn profile_mut(&mut self) -> &mut Profile {
        self.builder.profile_mut()
    }

    /// Returns of which files nothing says which they were. That is known at the end:
    /// when [`advance`](Self::advance) has returned `false`.
    pub fn unproven(&self) -> &Unproven {
        &self.unproven
    }

    /// Reads what is left, and returns all.
    pub fn finish(mut self) -> Finished {
        while self.advance() {}
        let Self {
            reader,
            builder,
            unproven,
            ..
        } = self;
        builder.finished(reader.into_problems(), unproven)
    }
}
