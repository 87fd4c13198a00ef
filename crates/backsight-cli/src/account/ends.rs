//! Names for the reasons why the unwinding of recorded stack memory ended.

use backsight::Ends;
use backsight_unwind::WalkEnd;

/// Returns the JSON names of all reasons with their counts, largest first.
pub(super) fn all(ends: &Ends) -> Vec<(&'static str, u64)> {
    sorted(ends.iter(), name)
}

/// Returns descriptions and counts of the reasons that cut a stack short, largest first.
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

/// Returns the JSON name of a reason.
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

/// Returns the description of a reason, which follows a number of stacks.
fn words(end: Option<WalkEnd>) -> &'static str {
    match end {
        None => "from a machine, or with registers, that cannot be unwound here",
        Some(WalkEnd::NotRecorded) => "where the recorded memory ends",
        Some(WalkEnd::NoRule) => "where call frame information has no usable rule",
        Some(WalkEnd::NotCode) => {
            "in code whose file has no call frame information or was not found"
        }
        Some(WalkEnd::NoProgress) => "where the caller's frame is not above its callee's",
        Some(WalkEnd::Limit) => "at the limit of frames or work",
        Some(_) => "for another reason",
    }
}
