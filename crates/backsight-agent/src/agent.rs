//! From a target to a profile.

use std::time::{Duration, Instant};

use backsight::{Finished, ModuleFiles, ProfileBuilder, RecordingOptions};
use backsight_profile::Profile;
use backsight_types::trace::{Event, FileBuildId, ProcessChange};

use crate::error::SamplingError;
use crate::notes::SamplingNote;
use crate::options::{SamplingOptions, Target};
use crate::sampler::Sampler;

/// Samples a target, and builds a profile of it.
///
/// Call [`step`](Self::step) until you have enough, then [`finish`](Self::finish). An agent that
/// runs for ever takes a profile out from time to time, with
/// [`take_profile`](Self::take_profile).
#[derive(Debug)]
pub struct Agent {
    sampler: Sampler,
    builder: ProfileBuilder,
    status: SamplingStatus,
    /// When the files of new modules were last looked at.
    flushed: Instant,
    max_rows: usize,
    /// Lost records when the mappings of all processes were last read.
    lost_before: u64,
}

/// What was sampled so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingStatus {
    /// Samples, of all events.
    pub samples: u64,
    /// Records that the kernel could not write, because the buffers were full.
    pub lost: u64,
    /// How often the kernel throttled sampling.
    pub throttled: u64,
    /// Processes that were forked. A program that a process replaces itself with, by `execve`,
    /// is no new process.
    pub started: u64,
    /// Samples that were left out because the profile has as many rows as it may.
    pub left_out: u64,
}

/// Files of new modules are opened at least this often: while the process lives, and before they
/// are replaced.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// The most rows of a profile: distinct stacks of distinct threads, or all samples if they are
/// not summed. At about 100 bytes each.
const MAX_ROWS: usize = 1 << 20;

impl Agent {
    /// Starts to sample a target. `recording` says whether equal samples are summed, and `files`
    /// where the files of modules are.
    ///
    /// # Errors
    /// As [`Sampler::start`].
    pub fn start(
        target: &Target,
        options: &SamplingOptions,
        recording: RecordingOptions,
        files: ModuleFiles,
    ) -> Result<Self, SamplingError> {
        let mut sampler = Sampler::start(target, options)?;
        if let Some(build_id) = files.host().kernel_build_id {
            sampler.facts_mut().build_ids.push(FileBuildId {
                path: b"[kernel.kallsyms]".to_vec(),
                build_id,
                is_kernel: true,
            });
        }
        let builder = ProfileBuilder::new(sampler.facts(), recording, files)
            .map_err(|_| SamplingError::Option("no event has the name that was asked for"))?;
        Ok(Self {
            sampler,
            builder,
            status: SamplingStatus::default(),
            flushed: Instant::now(),
            max_rows: MAX_ROWS,
            lost_before: 0,
        })
    }

    /// Sets the most rows of a profile. Samples that would exceed it are left out, and counted in
    /// [`SamplingStatus::left_out`].
    #[must_use]
    pub fn with_max_rows(self, max_rows: usize) -> Self {
        Self { max_rows, ..self }
    }

    /// Sets the command that is sampled, for the comments of the profile.
    #[must_use]
    pub fn with_command(mut self, command: Vec<String>) -> Self {
        self.sampler.facts_mut().command = command;
        self
    }

    /// Waits for samples, at most for this time, and adds them to the profile. Returns `false`
    /// when all processes of the target have ended.
    ///
    /// Call it at least twice a second: the buffers hold what a few seconds record, but the files
    /// of a process are found most surely while it lives.
    ///
    /// # Errors
    /// If waiting fails.
    pub fn step(&mut self, at_most: Duration) -> Result<bool, SamplingError> {
        self.sampler.wait(at_most)?;
        self.take_events();
        if self.flushed.elapsed() >= FLUSH_EVERY {
            self.builder.flush();
            self.flushed = Instant::now();
            if self.status.lost != self.lost_before {
                // Mappings may be among what was lost.
                self.lost_before = self.status.lost;
                self.sampler.look_again();
            }
        }
        Ok(!self.sampler.has_ended())
    }

    fn take_events(&mut self) {
        let Self {
            sampler,
            builder,
            status,
            max_rows,
            ..
        } = self;
        sampler.drain(|event| status.take(event, builder, *max_rows));
    }

    /// Returns what was sampled so far.
    #[must_use]
    pub fn status(&self) -> SamplingStatus {
        self.status
    }

    /// Returns what cannot be sampled, and why.
    #[must_use]
    pub fn notes(&self) -> &[SamplingNote] {
        self.sampler.notes()
    }

    /// Returns the sampler, for what it says of the recording.
    #[must_use]
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Takes the profile of the time since the start, or since the last call. Sampling goes on;
    /// what is known of the processes is kept. Modules have the same indices in all profiles of
    /// an agent.
    pub fn take_profile(&mut self) -> Profile {
        self.builder.take_profile(self.sampler.facts())
    }

    /// Stops sampling, and adds the last samples to the profile. [`status`](Self::status) is
    /// complete then.
    pub fn stop(&mut self) {
        let Self {
            sampler,
            builder,
            status,
            max_rows,
            ..
        } = self;
        sampler.stop(|event| status.take(event, builder, *max_rows));
    }

    /// Stops sampling, and returns the profile.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        self.stop();
        let facts = self.sampler.facts().clone();
        self.builder
            .finish_with(&facts, self.sampler.into_problems())
    }
}

impl SamplingStatus {
    fn take(&mut self, event: Event<'_>, builder: &mut ProfileBuilder, max_rows: usize) {
        match &event {
            Event::Sample(_) => {
                self.samples = self.samples.saturating_add(1);
                if builder.profile().samples.len() >= max_rows {
                    self.left_out = self.left_out.saturating_add(1);
                    return;
                }
            }
            Event::Lost(count) => self.lost = self.lost.saturating_add(*count),
            Event::Throttled => self.throttled = self.throttled.saturating_add(1),
            Event::Process(record) if record.time_ns > 0 => {
                let is_new = matches!(record.change, ProcessChange::Fork { .. });
                self.started = self.started.saturating_add(u64::from(is_new));
            }
            _ => {}
        }
        builder.take(event);
    }
}
