//! Builds a profile from events of any source.

use std::sync::Arc;

use backsight_formats::perf_data::{Problems, ReadEnd};
use backsight_profile::Profile;
use backsight_types::FileError;
use backsight_types::trace::{Event, EventType, Facts};

use super::ends::Ends;
use super::events::Capture;
use super::files::Unproven;
use super::input::{RecordingError, RecordingOptions, RecordingPaths};
use super::labels::ProcessLabel;
use super::live_files::LiveFiles;
use super::unwind::NotWalked;
use crate::find::ModuleFiles;
use crate::jit::said::MapUse;

/// Builds a profile from events of any source. The mappings of processes are replayed, and each
/// address of a sample is converted to an offset in a module.
///
/// [`PerfData`](crate::PerfData) passes it the events of a recording. A program that reads the
/// kernel's ring buffers can pass the events itself:
///
/// ```
/// use backsight::types::trace::{ByteOrder, Event, EventType, Facts, SampleRecord};
/// use backsight::{ModuleFiles, ProfileBuilder, RecordingOptions};
///
/// let mut facts = Facts::default();
/// facts.events.push(EventType::new("cycles"));
/// let (options, files) = (RecordingOptions::default(), ModuleFiles::default());
/// let mut builder = ProfileBuilder::new(&facts, options, files)?;
///
/// let chain = 0x55_1000_u64.to_ne_bytes();
/// let sample = SampleRecord::new(42, 42).with_chain(&chain, ByteOrder::NATIVE);
/// builder.take(Event::Sample(sample));
///
/// let finished = builder.finish(&facts);
/// assert_eq!(finished.profile.samples.len(), 1);
/// # Ok::<(), backsight::RecordingError>(())
/// ```
///
/// Events must be in time order: a sample is looked up in the mappings at its time.
#[derive(Debug)]
pub struct ProfileBuilder {
    capture: Capture,
}

/// The result of reading a recording.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// The contents of the recording, without samples that were taken out earlier.
    pub profile: Profile,
    /// Problems with the recording, and its contents that no profile has a place for.
    pub problems: Problems,
    /// Files whose identity could not be proven.
    pub unproven: Unproven,
    /// Stacks recorded as memory that were not unwound, because their machine is not supported.
    pub not_walked: Option<NotWalked>,
    /// Why the unwinding of recorded stack memory ended.
    pub ends: Ends,
    /// What came of looking for names of code that processes made at run time.
    pub maps: Vec<MapUse>,
    /// Samples of events that were not selected.
    pub not_chosen: u64,
    /// Records that perf lost.
    pub lost: u64,
    /// How often the kernel throttled sampling.
    pub throttled: u64,
    /// The files of the recording: [`Problems::ends`] has their positions.
    pub(super) paths: RecordingPaths,
}

impl Finished {
    /// Returns the files of the recording that were not read to their end, and why. The path is
    /// `None` for an input without a path.
    pub fn cut_short(&self) -> impl Iterator<Item = FileError<&ReadEnd>> {
        self.paths.cut_short(&self.problems)
    }
}

impl ProfileBuilder {
    /// Starts a profile. `facts` describes the recording and has at least its events; `files`
    /// says where to find its modules.
    ///
    /// # Errors
    /// If no event has the name given in the options.
    pub fn new(
        facts: &Facts,
        options: RecordingOptions,
        files: ModuleFiles,
    ) -> Result<Self, RecordingError> {
        let wanted = options.event.clone();
        let capture = Capture::new(facts, options, files);
        if let Some((wanted, events)) = wanted.zip(capture.missing(&facts.events)) {
            return Err(RecordingError::NoSuchEvent { wanted, events });
        }
        Ok(Self { capture })
    }

    /// Says that the processes are those of this machine, and that their events are recent: files
    /// are opened by the processes while these live, and kept open until the end. So they are found
    /// if they are deleted or replaced, or are in another mount namespace. At most an eighth of the
    /// descriptors that this process may have (`ulimit -n`) are used, and no more than 1,024.
    #[must_use]
    pub fn with_live_processes(mut self) -> Self {
        self.capture.live = Some(LiveFiles::default());
        self
    }

    /// Handles the next event. Returns `true` if it completed a piece: the samples up to here are
    /// then in the profile and may be taken out.
    pub fn take(&mut self, event: Event<'_>) -> bool {
        let capture = &mut self.capture;
        capture.take(event);
        let is_full = capture.is_full();
        if is_full {
            capture.finish_piece();
        }
        is_full
    }

    /// Updates the descriptions of the recorded events.
    pub fn set_events(&mut self, events: &[EventType]) {
        self.capture.events(events);
    }

    /// Completes the current piece: its samples are in the profile, and the files of its modules
    /// were looked at. A recorder calls it from time to time, while the processes are alive.
    pub fn flush(&mut self) {
        self.capture.finish_piece();
    }

    /// Returns the profile as built so far, without the samples of the current piece.
    pub fn profile(&self) -> &Profile {
        &self.capture.profile
    }

    /// Says up to which time all events have been passed, in nanoseconds on their clock: what waits
    /// then has waited until then. Without it, that is the time of the last event.
    pub fn reach(&mut self, time_ns: u64) {
        self.capture.off_cpu.reach(time_ns);
    }

    /// Takes the profile since the start, or since the last call, and goes on with an empty one.
    /// What is known of the processes that live is kept. Modules keep their indices, until there
    /// are more than 4,096, and more than twice as many as processes have mapped: then the others
    /// are forgotten, and the rest is numbered anew. So what a builder keeps does not grow with
    /// the time that it is used.
    pub fn take_profile(&mut self, facts: &Facts) -> Profile {
        self.capture.take_profile(facts)
    }

    /// Sets the labels of a process, in place of those that it had: the samples that are added to
    /// the profile from here on get them, also those of the current piece. They are forgotten when
    /// the process has ended, or its ID is another's.
    pub fn set_labels(&mut self, pid: u32, labels: Arc<[ProcessLabel]>) {
        self.capture.piece.labels.set(pid, labels);
    }

    /// Updates what is known of the recorded kernel and of the build IDs of files: modules that are
    /// mapped from here on get them.
    pub(super) fn learn(&mut self, facts: &Facts) {
        self.capture.learn(facts);
    }

    /// Returns the profile as built so far, without the samples of the current piece.
    pub fn profile_mut(&mut self) -> &mut Profile {
        &mut self.capture.profile
    }

    /// Returns the finished profile. `facts` describes the recording as known at its end.
    #[must_use]
    pub fn finish(self, facts: &Facts) -> Finished {
        self.finish_with(facts, Problems::default())
    }

    /// As [`finish`](Self::finish), with the problems that the reader of the events had.
    #[must_use]
    pub fn finish_with(mut self, facts: &Facts, problems: Problems) -> Finished {
        let unproven = self.conclude(facts);
        self.finished(problems, unproven)
    }

    /// Completes the last piece. Called once, after the last event.
    pub(super) fn conclude(&mut self, facts: &Facts) -> Unproven {
        self.capture.conclude(facts)
    }

    /// Returns the result, after [`Self::conclude`].
    pub(super) fn finished(self, mut problems: Problems, unproven: Unproven) -> Finished {
        let mut capture = self.capture;
        let what = "files of live processes, closed because too many were open";
        let given_up = capture.files.held().given_up();
        problems.flaws.count_many(what, given_up);
        let rewritten = capture.files.held().rewritten();
        let maps = capture.take_maps();
        let what = "uses of lists of names of processes, beyond the first 4,096";
        problems
            .flaws
            .leave_out_many(what, capture.piece.places.made.more_uses());
        // No output format has a place for branch stacks.
        let what = "branch stacks of samples";
        problems.flaws.leave_out_many(what, capture.branches);
        let what = "events of an unknown kind";
        problems.flaws.leave_out_many(what, capture.unknown);
        let what = "lines of BPF programs whose file name is damaged";
        let damaged = capture.piece.places.kernel.unreadable_bpf_files();
        problems.flaws.count_many(what, damaged);
        let what = "sampled functions in files of perf inject --jit whose lines are damaged in part \
                    (node 18 to 24 write freed memory there)";
        problems
            .flaws
            .count_many(what, capture.piece.places.injected.damaged());
        Finished {
            problems,
            unproven: Unproven {
                rewritten,
                ..unproven
            },
            not_walked: capture.not_walked(),
            ends: capture.ends,
            maps,
            not_chosen: capture.columns.not_taken(),
            lost: capture.lost,
            throttled: capture.throttled,
            profile: capture.profile,
            paths: RecordingPaths::default(),
        }
    }
}
