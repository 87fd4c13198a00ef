//! From a target to a profile.

use std::time::{Duration, Instant};

use backsight::{Finished, ModuleFiles, ProfileBuilder, RecordingOptions};
use backsight_profile::Profile;
use backsight_types::trace::{Event, FileBuildId, ProcessChange};

use crate::error::SamplingError;
use crate::interval::Interval;
use crate::notes::SamplingNote;
use crate::options::{SamplingOptions, Target};
use crate::process_labels::ProcessLabels;
use crate::sampler::Sampler;
use crate::sysctl::max_stack;

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
    interval: Interval,
    max_rows: usize,
    max_stack: usize,
    /// Lost records when the mappings of all processes were last read.
    lost_before: u64,
    /// `None` if no labels are wanted.
    labels: Option<ProcessLabels>,
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
    /// Samples whose stack has as many addresses as the kernel records
    /// (`kernel.perf_event_max_stack`): the outermost callers are missing.
    pub cut: u64,
    /// Samples of processes outside of the PID namespace of this process: the kernel gives them the
    /// number 0, so that nothing is known of what they have mapped.
    pub foreign: u64,
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
            .map_err(|_| SamplingError::Option("no event has the name that was asked for"))?
            .with_live_processes();
        Ok(Self {
            sampler,
            builder,
            status: SamplingStatus::default(),
            flushed: Instant::now(),
            interval: Interval::begin(),
            max_rows: MAX_ROWS,
            max_stack: max_stack(),
            lost_before: 0,
            labels: options.labels.then(ProcessLabels::default),
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
            self.look_at_processes();
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
            max_stack,
            labels,
            ..
        } = self;
        let most = (*max_rows, *max_stack);
        sampler.drain(|event| status.take(event, builder, most, labels));
    }

    fn look_at_processes(&mut self) {
        if let Some(labels) = &mut self.labels {
            labels.look(&mut self.builder);
        }
    }

    /// Returns why attributes that processes publish (`OTEL_CTX`) are not among the labels of
    /// their samples: each reason, with the number of processes.
    pub fn label_problems(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let problems = self.labels.iter().flat_map(|labels| &labels.problems);
        problems.map(|(reason, count)| (*reason, *count))
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

    /// Returns the most addresses that the kernel records of a stack: [`SamplingStatus::cut`].
    #[must_use]
    pub fn max_stack(&self) -> usize {
        self.max_stack
    }

    /// Returns the sampler, for what it says of the recording.
    #[must_use]
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Takes the profile of the time since the start, or since the last call. Sampling goes on;
    /// what is known of the processes is kept. Modules have the same indices in all profiles of
    /// an agent, until there are many that no process has mapped any more:
    /// [`ProfileBuilder::take_profile`].
    pub fn take_profile(&mut self) -> Profile {
        // The reader holds the events of a round back until the next one.
        self.take_events();
        self.look_at_processes();
        self.builder.reach(self.sampler.reached_ns());
        let mut profile = self.builder.take_profile(self.sampler.facts());
        self.interval.end(self.sampler.reached_ns(), &mut profile);
        profile
    }

    /// Stops sampling, and adds the last samples to the profile. [`status`](Self::status) is
    /// complete then.
    pub fn stop(&mut self) {
        let Self {
            sampler,
            builder,
            status,
            max_rows,
            max_stack,
            labels,
            ..
        } = self;
        let most = (*max_rows, *max_stack);
        sampler.stop(|event| status.take(event, builder, most, labels));
        builder.reach(sampler.reached_ns());
        self.look_at_processes();
    }

    /// Stops sampling, and returns the profile.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        self.stop();
        let facts = self.sampler.facts().clone();
        let reached = self.sampler.reached_ns();
        let problems = self.sampler.into_problems();
        let mut finished = self.builder.finish_with(&facts, problems);
        self.interval.end(reached, &mut finished.profile);
        finished
    }
}

impl SamplingStatus {
    fn take(
        &mut self,
        event: Event<'_>,
        builder: &mut ProfileBuilder,
        (max_rows, max_stack): (usize, usize),
        labels: &mut Option<ProcessLabels>,
    ) {
        match &event {
            Event::Sample(sample) => {
                let is_foreign = u64::from(sample.is_of_hidden_process());
                self.foreign = self.foreign.saturating_add(is_foreign);
                self.samples = self.samples.saturating_add(1);
                // Marks of the kernel stand between the addresses, which are counted only if
                // there may be enough of them.
                let is_long =
                    sample.raw_chain().len() >= max_stack.saturating_mul(size_of::<u64>());
                let is_cut = is_long && sample.chain().count() >= max_stack;
                self.cut = self.cut.saturating_add(u64::from(is_cut));
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
        let labelled = labels.as_mut().and_then(|labels| labels.take(&event));
        builder.take(event);
        if let Some((pid, labels)) = labelled {
            builder.set_labels(pid, labels);
        }
    }
}
