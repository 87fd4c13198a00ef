//! Reads a recording piece by piece.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use backsight_formats::perf_data::Reader;
use backsight_profile::Profile;

use super::builder::{Finished, ProfileBuilder};
use super::files::Unproven;
use super::folder::recording_files;
use super::input::{Recording, RecordingError, RecordingOptions, RecordingPaths};
use crate::find::ModuleFiles;

/// Size of the read buffer.
const BUFFER_BYTES: usize = 1 << 18;

/// A `perf` recording that is being read.
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
    paths: RecordingPaths,
    builder: ProfileBuilder,
    unproven: Unproven,
    is_finished: bool,
}

impl PerfData<BufReader<File>> {
    /// Opens the file that `perf record` wrote, or the directory that `perf record --threads`
    /// wrote. `files` says where to find its modules.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a recording.
    pub fn of_file(
        path: impl AsRef<Path>,
        options: RecordingOptions,
        files: ModuleFiles,
    ) -> Result<Self, RecordingError> {
        let mut options = options;
        options.maps = options.maps.with_recording(path.as_ref());
        let files = files.with_recording(path.as_ref());
        let all = recording_files(path.as_ref())?.into_iter();
        let all = all.map(|(path, file)| (path, BufReader::with_capacity(BUFFER_BYTES, file)));
        Self::open(Recording::NamedFiles(all.collect()), options, files)
    }
}

impl<R: Read + Seek> PerfData<R> {
    /// Starts reading a recording. `files` says where to find its modules.
    ///
    /// # Errors
    /// If it is not a recording, or lacks the requested event.
    pub fn open(
        input: Recording<R>,
        options: RecordingOptions,
        files: ModuleFiles,
    ) -> Result<Self, RecordingError> {
        let (reader, paths) = input.open()?;
        let builder = ProfileBuilder::new(reader.facts(), options, files)?;
        Ok(Self {
            reader,
            paths,
            builder,
            unproven: Unproven::default(),
            is_finished: false,
        })
    }
}

impl<R: Read> PerfData<R> {
    /// Reads one more piece, and returns whether more may follow. The caller may take the
    /// samples out of the profile between pieces.
    pub fn advance(&mut self) -> bool {
        if self.is_finished {
            return false;
        }
        let Self {
            reader, builder, ..
        } = self;
        loop {
            builder.learn(reader.facts());
            let Some(event) = reader.next() else { break };
            if builder.take(event) {
                builder.set_events(&reader.facts().events);
                return true;
            }
        }
        self.unproven = builder.conclude(reader.facts());
        self.is_finished = true;
        false
    }

    /// Returns the profile as read so far.
    pub fn profile_mut(&mut self) -> &mut Profile {
        self.builder.profile_mut()
    }

    /// Returns the files whose identity could not be proven. Complete when
    /// [`advance`](Self::advance) has returned `false`.
    pub fn unproven(&self) -> &Unproven {
        &self.unproven
    }

    /// Reads the rest, and returns the result.
    pub fn finish(mut self) -> Finished {
        while self.advance() {}
        let Self {
            reader,
            paths,
            builder,
            unproven,
            ..
        } = self;
        Finished {
            paths,
            ..builder.finished(reader.into_problems(), unproven)
        }
    }
}
