//! Events as a profile, whoever recorded them.

use backsight_formats::perf_data::Problems;
use backsight_profile::Profile;
use backsight_types::trace::{Event, EventType, Facts};

use super::ends::Ends;
use super::events::Capture;
use super::files::Unproven;
use super::input::{RecordingError, RecordingOptions};
use super::unwind::NotWalked;
use crate::find::ModuleFiles;
use crate::jit::said::MapUse;

/// Makes a profile of events, whoever recorded them: what processes did is replayed, and
/// every address of a sample gets its place in a module.
///
/// [`PerfData`](crate::PerfData) feeds one from a recording. Who reads the kernel's ring
/// buffers himself feeds it what he finds there:
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
/// Events come in order of time: a sample is looked up in what was mapped when it was
/// taken.
#[derive(Debug)]
pub struct ProfileBuilder {
    capture: Capture,
}

/// What a recording came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What is in it, without what was taken out before.
    pub profile: Profile,
    /// What was wrong with it, and what of it no profile has a place for.
    pub problems: Problems,
    /// Files of which nothing says which they were.
    pub unproven: Unproven,
    /// Stacks that were recorded as memory, of a machine whose stacks are not walked.
    pub not_walked: Option<NotWalked>,
    /// How the walks of those stacks ended that were recorded as memory.
    pub ends: Ends,
    /// What came of looking for names of code that processes made at run time.
    pub maps: Vec<MapUse>,
    /// Samples of events that were not asked for.
    pub not_chosen: u64,
    /// Records that perf lost.
    pub lost: u64,
    /// How often the kernel throttled sampling.
    pub throttled: u64,
}

impl ProfileBuilder {
    /// Begins a profile. What is known of the recording is in `facts`, its events at
    /// least; what its modules are is looked for in `files`.
    ///
    /// # Errors
    /// When no event is called as the options have it.
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

    /// Takes the next event. Returns whether a piece was done with it: then the samples up
    /// to here are in the profile and may be taken out.
    pub fn take(&mut self, event: Event<'_>) -> bool {
        let capture = &mut self.capture;
        capture.take(event);
        let is_full = capture.is_full();
        if is_full {
            capture.finish_piece();
        }
        is_full
    }

    /// Takes what became known of the events that are recorded.
    pub fn set_events(&mut self, events: &[EventType]) {
        self.capture.events(events);
    }

    /// Returns what there is up to now; without the samples that wait for their piece to
    /// be done.
    pub fn profile_mut(&mut self) -> &mut Profile {
        &mut self.capture.profile
    }

    /// Returns the profile, with what is known of the recording at its end.
    #[must_use]
    pub fn finish(mut self, facts: &Facts) -> Finished {
        let unproven = self.conclude(facts);
        self.finished(Problems::default(), unproven)
    }

    /// Does what is to be done once, when there are no more events.
    pub(super) fn conclude(&mut self, facts: &Facts) -> Unproven {
        self.capture.conclude(facts)
    }

    /// Returns all, when it was concluded.
    pub(super) fn finished(self, mut problems: Problems, unproven: Unproven) -> Finished {
        let mut capture = self.capture;
        let maps = capture.take_maps();
        // No format that is written has a place for them.
        let what = "branch stacks of samples";
        problems.flaws.leave_out_many(what, capture.branches);
        let what = "events of a kind that is not known";
        problems.flaws.leave_out_many(what, capture.unknown);
        Finished {
            problems,
            unproven,
            not_walked: capture.not_walked(),
            ends: capture.ends,
            maps,
            not_chosen: capture.columns.not_taken(),
            lost: capture.lost,
            throttled: capture.throttled,
            profile: capture.profile,
        }
    }
}
