//! Completes the pieces of a recording, and the recording.

use backsight_types::trace::Facts;

use super::about;
use super::events::Capture;
use super::files::{self, Unproven};
use super::injected::move_to_memory;

impl Capture {
    /// Replays the buffered data, and adds it to the profile.
    pub(super) fn finish_piece(&mut self) {
        if let Some(live) = &mut self.live {
            for record in live.ask_again(&self.files) {
                self.unwinders.changed(record.pid);
                self.piece.record(record);
            }
        }
        let Self {
            piece,
            profile,
            threads,
            files,
            build_ids,
            ..
        } = self;
        piece.places.made.refresh();
        piece.finish(profile, build_ids, files);
        piece.add_mappings(threads.take_mapped(), profile);
    }

    /// Names code of processes that wrote its name after it was met.
    pub(super) fn name_late(&mut self) {
        let made = &mut self.piece.places.made;
        made.name_late(&mut self.profile, &self.files);
    }

    /// Ends the recording: replays the rest, and adds the metadata known only at the end.
    pub(super) fn conclude(&mut self, facts: &Facts) -> Unproven {
        self.learn(facts);
        self.off_cpu.finish(&mut self.piece.switches);
        self.finish_piece();
        self.name_late();
        move_to_memory(&mut self.profile);
        self.events(&facts.events);
        self.columns.choose(&mut self.profile);
        about::complete(&self.build_ids, &mut self.profile);
        about::comment(facts, self.times, &mut self.profile);
        files::unproven(
            self.files.host(),
            facts.hostname.as_deref(),
            &mut self.profile,
        )
    }
}
