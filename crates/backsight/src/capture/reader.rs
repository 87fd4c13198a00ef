//! A recording, read piece by piece.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use backsight_formats::perf_data::{Event, Problems, Reader};
use backsight_profile::Profile;

use super::ends::Ends;
use super::events::Capture;
use super::files::Unproven;
use super::folder::recording_files;
use super::input::{Recording, RecordingError, RecordingOptions};
use super::unwind::NotWalked;
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
    capture: Capture,
    unproven: Unproven,
    is_finished: bool,
}

/// What a recording came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What is in it, without what was taken out before.
    pub profile: Profile,
    /// What was wrong with it.
    pub problems: Problems,
    /// Files of which nothing says which they were.
    pub unproven: Unproven,
    /// Stacks that were recorded as memory, of a machine whose stacks are not walked.
    pub not_walked: Option<NotWalked>,
    /// How the walks of those stacks ended that were recorded as memory.
    pub ends: Ends,
    /// Samples of events that were not asked for.
    pub not_chosen: u64,
    /// Records that perf lost.
    pub lost: u64,
    /// How often the kernel throttled sampling.
    pub throttled: u64,
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
        let wanted = options.event.clone();
        let capture = Capture::new(reader.facts(), options, files);
        if let Some((wanted, events)) = wanted.zip(capture.missing(&reader.facts().events)) {
            return Err(RecordingError::NoSuchEvent { wanted, events });
        }
        Ok(Self {
            reader,
            capture,
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
            reader, capture, ..
        } = self;
        while let Some(event) = reader.next() {
            match event {
                Event::Sample(sample) => capture.sample(&sample),
                other => capture.other(other),
            }
            if capture.is_full() {
                capture.finish_piece();
                capture.events(&reader.facts().events);
                return true;
            }
        }
        self.unproven = capture.conclude(reader.facts());
        self.is_finished = true;
        false
    }

    /// Returns what was read up to now.
    pub fn profile_mut(&mut self) -> &mut Profile {
        &mut self.capture.profile
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
            capture,
            unproven,
            ..
        } = self;
        let mut problems = reader.into_problems();
        // No format that is written has a place for them.
        let what = "branch stacks of samples";
        problems.flaws.leave_out_many(what, capture.branches);
        Finished {
            problems,
            unproven,
            not_walked: capture.not_walked(),
            ends: capture.ends,
            not_chosen: capture.columns.not_taken(),
            lost: capture.lost,
            throttled: capture.throttled,
            profile: capture.profile,
        }
    }
}
