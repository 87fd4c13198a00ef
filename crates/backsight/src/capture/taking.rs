//! Takes the profile of a recording that goes on: one for each minute, for example.
//!
//! What is known of processes, threads and modules is kept. A wait that goes on is split: the
//! time until now counts in the profile that is taken, the rest in the next one.

use std::collections::HashMap;

use backsight_profile::{LocationIdx, Profile, Sample, StackIdx};
use backsight_types::trace::Facts;

use super::about;
use super::events::Capture;

impl Capture {
    /// Returns the profile so far, and goes on with an empty one.
    pub(super) fn take_profile(&mut self, facts: &Facts) -> Profile {
        self.finish_piece();
        let waiting = self.off_cpu.split(&mut self.piece.switches);
        self.finish_piece();
        self.columns.choose(&mut self.profile);
        about::complete(&self.build_ids, &mut self.profile);
        about::comment(facts, self.times.take(), &mut self.profile);
        let next = Profile {
            sample_types: self.profile.sample_types.clone(),
            period: self.profile.period,
            modules: self.profile.modules.clone(),
            strings: self.profile.strings.clone(),
            ..Profile::default()
        };
        let taken = std::mem::replace(&mut self.profile, next);
        let Self {
            piece,
            threads,
            profile,
            ..
        } = self;
        piece.begin_profile();
        threads.begin_profile(|pid| piece.mappings_of(pid));
        let mut moved = HashMap::new();
        for (number, sample) in waiting {
            let thread = sample.thread.and_then(|index| taken.thread(index));
            let who = thread.and_then(|thread| {
                let pid = taken.process(thread.process)?.pid;
                Some((pid, thread.tid?))
            });
            let sample = Sample {
                thread: who.and_then(|(pid, tid)| threads.thread(pid, tid, profile)),
                stack: stack_in(profile, &taken, sample.stack, &mut moved),
                ..sample
            };
            piece.switches.wait(number, sample);
        }
        taken
    }
}

/// Copies a stack from one profile to another that has the same modules and texts. `moved` has the
/// locations that were copied before.
fn stack_in(
    to: &mut Profile,
    from: &Profile,
    stack: Option<StackIdx>,
    moved: &mut HashMap<LocationIdx, Option<LocationIdx>>,
) -> Option<StackIdx> {
    let all: Vec<LocationIdx> = from.stacks.iter(stack).collect();
    let mut copies = Vec::with_capacity(all.len());
    for index in all {
        let copy = moved.entry(index).or_insert_with(|| {
            let mut location = *from.location(index)?;
            let frames = from.frames_of(&location).to_vec();
            location.frames = to.add_frames(frames).unwrap_or_default();
            to.add_location(location)
        });
        copies.extend(*copy);
    }
    // A stack is listed from its innermost frame, and made from its outermost.
    to.stacks.intern(copies.into_iter().rev())
}
