//! The functions that took most of the time, at the end of a recording.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use backsight_profile::{Location, Profile};
use backsight_types::{AddrKind, Reason};

/// How many functions are listed.
const MAX_LISTED: usize = 10;

/// A function, and what its own code took of the whole, in percent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hot {
    pub(super) percent: f64,
    pub(super) function: String,
    /// The file name of its module.
    pub(super) module: Option<String>,
}

/// Returns the functions whose own code took most of a value of the samples, the hottest first.
/// `value` is the index of its type. With `of_users`, the kernel's functions are skipped: a thread
/// that does not run is always in the scheduler.
pub(super) fn hottest(profile: &Profile, value: u32, of_users: bool) -> Vec<Hot> {
    let mut by_place: HashMap<(String, Option<String>), i64> = HashMap::new();
    let whole = each_leaf(profile, value, of_users, |location, amount| {
        let sum = by_place.entry(named(profile, location)).or_default();
        *sum = sum.saturating_add(amount);
    });
    let mut all: Vec<_> = by_place.into_iter().collect();
    // Equal ones by name, so that the order is always the same.
    all.sort_by(|(a, x), (b, y)| Reverse(x).cmp(&Reverse(y)).then_with(|| a.cmp(b)));
    let share = |amount: i64| percent(amount, whole);
    let listed = all.into_iter().take(MAX_LISTED);
    let listed = listed.map(|((function, module), amount)| Hot {
        percent: share(amount),
        function,
        module,
    });
    listed.collect()
}

/// Returns how much of a value, in percent, is of code that was made at run time and has no name.
pub(super) fn nameless_made(profile: &Profile, value: u32) -> f64 {
    let mut nameless = 0_i64;
    let whole = each_leaf(profile, value, false, |location, amount| {
        let is_made = location.kind == Some(AddrKind::Anonymous)
            || location.reason == Some(Reason::Anonymous);
        if is_made && profile.frames_of(location).is_empty() {
            nameless = nameless.saturating_add(amount);
        }
    });
    percent(nameless, whole)
}

/// Calls `take` with the innermost location of each sample, and its value. Returns the sum of all
/// values.
fn each_leaf(
    profile: &Profile,
    value: u32,
    of_users: bool,
    mut take: impl FnMut(&Location, i64),
) -> i64 {
    let mut whole = 0_i64;
    for (sample, values, _) in profile.samples.iter() {
        let Some(at) = value.checked_sub(sample.first_type) else {
            continue;
        };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let Some(amount) = values.get(at).filter(|amount| **amount > 0) else {
            continue;
        };
        whole = whole.saturating_add(*amount);
        let stack = profile.stacks.iter(sample.stack);
        let mut locations = stack.filter_map(|index| profile.location(index));
        let Some(innermost) = locations.next() else {
            continue;
        };
        let is_of_user = |location: &&Location| location.kind != Some(AddrKind::Kernel);
        let found = match of_users && !is_of_user(&innermost) {
            true => locations.find(is_of_user).unwrap_or(innermost),
            false => innermost,
        };
        take(found, *amount);
    }
    whole
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with one digit"
)]
fn percent(amount: i64, whole: i64) -> f64 {
    amount as f64 / whole.max(1) as f64 * 100.0
}

/// Returns the function of a location, and the file name of its module. What was inlined counts
/// for the function that it was inlined into, as in a list of symbols.
fn named(profile: &Profile, location: &Location) -> (String, Option<String>) {
    let module = location.module.and_then(|index| profile.module(index));
    let path = module.map(|module| module.path_lossy().into_owned());
    let module = path.map(|path| path.rsplit('/').next().unwrap_or_default().to_owned());
    let frames = profile.frames_of(location);
    let function = frames.last();
    let function = function.and_then(|frame| backsight_report::function_name(profile, frame));
    let unnamed = || match location.reason {
        Some(reason) => format!("[{reason}]"),
        None => "[unknown]".to_owned(),
    };
    (function.map_or_else(unnamed, Cow::into_owned), module)
}
