//! How the ends of stacks that were recorded as memory are called.

use backsight::Ends;
use backsight_unwind::WalkEnd;

/// Returns all, as JSON calls them and with their counts, most first.
pub(super) fn all(ends: &Ends) -> Vec<(&'static str, u64)> {
    sorted(ends.iter(), name)
}

/// The same of those that have a caller which was not found, with what is said.
pub(super) fn short(ends: &Ends) -> Vec<(&'static str, u64)> {
    let short = ends
        .iter()
        .filter(|(end, _)| *end != Some(WalkEnd::Outermost));
    sorted(short, words)
}

fn sorted(
    ends: impl Iterator<Item = (Option<WalkEnd>, u64)>,
    called: impl Fn(Option<WalkEnd>) -> &'static str,
) -> Vec<(&'static str, u64)> {
    let mut all: Vec<_> = ends.map(|(end, count)| (called(end), count)).collect();
    all.sort_by_key(|(what, count)| (std::cmp::Reverse(*count), *what));
    all
}

/// Returns what JSON calls it.
fn name(end: Option<WalkEnd>) -> &'static str {
    match end {
        None => "not-walked",
        Some(WalkEnd::Outermost) => "outermost",
        Some(WalkEnd::NotRecorded) => "not-recorded",
        Some(WalkEnd::NoRule) => "no-rule",
        Some(WalkEnd::NotCode) => "not-code",
        Some(WalkEnd::NoProgress) => "no-progress",
        Some(WalkEnd::Limit) => "limit",
        Some(_) => "other",
    }
}

/// Returns how it is said to people, after a number of stacks.
fn words(end: Option<WalkEnd>) -> &'static str {
    match end {
        None => "of a machine or with registers that are not walked here",
        Some(WalkEnd::NotRecorded) => "beyond the memory that was recorded",
        Some(WalkEnd::NoRule) => "where call frame information does not lead on",
        Some(WalkEnd::NotCode) => "where no file's call frame information is at hand",
        Some(WalkEnd::NoProgress) => "where the caller would not lie above",
        Some(WalkEnd::Limit) => "at a limit of frames and work",
        Some(_) => "for another reason",
    }
}
