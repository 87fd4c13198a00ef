//! What was wrong with a profile, and what has no place in it.

use std::error::Error;
use std::fmt::Display;

use backsight_formats::flaws::Flaws;

/// Malformed lines that are noted one by one.
const MAX_NOTED: u64 = 10;

/// A line for each, and their number.
#[derive(Debug, Default)]
pub(crate) struct ProfileNotes {
    pub(super) lines: Vec<String>,
    /// How many parts were malformed.
    pub(super) malformed: u64,
    /// Records that the recorder lost.
    pub(super) lost: u64,
}

impl ProfileNotes {
    pub(super) fn say(&mut self, what: impl Display) {
        self.lines.push(what.to_string());
    }

    /// Notes a malformed line.
    pub(super) fn line(&mut self, error: &dyn Error) {
        self.malformed = self.malformed.saturating_add(1);
        if self.malformed <= MAX_NOTED {
            self.say(error);
        }
    }

    /// Notes how many malformed lines were not noted one by one.
    pub(super) fn more_lines(&mut self) {
        let more = self.malformed.saturating_sub(MAX_NOTED);
        self.count(more, "more malformed lines");
    }

    pub(super) fn flaws(&mut self, flaws: &Flaws) {
        for (what, count) in flaws.iter() {
            self.malformed = self.malformed.saturating_add(count);
            self.say(format_args!("malformed: {count} {what}"));
        }
        for (what, count) in flaws.left_out() {
            self.say(format_args!("left out: {count} {what}"));
        }
        for (what, count) in flaws.changed() {
            self.say(format_args!("changed: {count} {what}"));
        }
    }

    pub(super) fn count(&mut self, count: u64, what: &str) {
        if count > 0 {
            self.say(format_args!("{count} {what}"));
        }
    }
}
