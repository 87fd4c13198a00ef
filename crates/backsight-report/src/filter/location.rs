//! What conditions say of a location.

use std::borrow::Cow;

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, StrIdx};
use backsight_types::AddrKind;

use super::{CodeSpace, SampleFilter};
use crate::entry::ReportEntry;
use crate::pattern::NamePattern;

/// Which conditions a location meets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    pub(super) is_focus: bool,
    pub(super) is_ignored: bool,
    pub(super) has_function: bool,
    pub(super) has_module: bool,
    /// The location with the frames that are left; `None` without any.
    pub(super) left: Option<LocationIdx>,
}

/// Looks at a location. One with a part of the frames is added to the profile.
pub(super) fn judge(filter: &SampleFilter, profile: &mut Profile, index: LocationIdx) -> Verdict {
    let Some(location) = profile.location(index).copied() else {
        return Verdict {
            left: Some(index),
            ..Verdict::default()
        };
    };
    let mut verdict = Verdict {
        is_focus: any_matches(filter.focus.as_ref(), profile, &location),
        is_ignored: any_matches(filter.ignore.as_ref(), profile, &location),
        has_function: any_function(filter.function.as_ref(), profile, &location),
        has_module: module_matches(filter.module.as_ref(), profile, &location),
        left: Some(index),
    };
    let is_kernel = location.kind == Some(AddrKind::Kernel);
    let is_in_space = match filter.space {
        None => true,
        Some(CodeSpace::Kernel) => is_kernel,
        Some(CodeSpace::User) => !is_kernel,
    };
    verdict.left = match is_in_space {
        true => without_hidden(filter.hide.as_ref(), profile, index, &location),
        false => None,
    };
    verdict
}

/// Takes hidden frames out.
fn without_hidden(
    hide: Option<&NamePattern>,
    profile: &mut Profile,
    index: LocationIdx,
    location: &Location,
) -> Option<LocationIdx> {
    if hide.is_none() {
        return Some(index);
    }
    let frames = profile.frames_of(location);
    if module_matches(hide, profile, location)
        || (frames.is_empty() && any_matches(hide, profile, location))
    {
        return None;
    }
    let left = frames
        .iter()
        .filter(|frame| !frame_matches(hide, profile, frame));
    let left: Vec<ProfileFrame> = left.copied().collect();
    if left.len() == frames.len() {
        return Some(index);
    }
    if left.is_empty() {
        return None;
    }
    let location = Location {
        frames: profile.add_frames(left)?,
        ..*location
    };
    profile.add_location(location)
}

fn any_matches(regex: Option<&NamePattern>, profile: &Profile, location: &Location) -> bool {
    let Some(wanted) = regex else {
        return false;
    };
    let frames = profile.frames_of(location);
    let unnamed = || frames.is_empty() && wanted.is_match(&unnamed(profile, location));
    frames
        .iter()
        .any(|frame| frame_matches(regex, profile, frame))
        || unnamed()
        || module_matches(regex, profile, location)
}

fn any_function(regex: Option<&NamePattern>, profile: &Profile, location: &Location) -> bool {
    let Some(wanted) = regex else {
        return false;
    };
    let frames = profile.frames_of(location);
    frames
        .iter()
        .any(|frame| text_matches(wanted, profile, frame.function))
        || frames.is_empty() && wanted.is_match(&unnamed(profile, location))
}

/// Returns what reports show for a location without frames.
fn unnamed<'p>(profile: &'p Profile, location: &Location) -> Cow<'p, str> {
    let entry = ReportEntry {
        reason: location.reason,
        kind: location.kind.filter(|_| location.module.is_none()),
        ..ReportEntry::default()
    };
    entry.name(profile, crate::entry::RowKind::Function)
}

fn frame_matches(regex: Option<&NamePattern>, profile: &Profile, frame: &ProfileFrame) -> bool {
    regex.is_some_and(|regex| {
        text_matches(regex, profile, frame.function) || text_matches(regex, profile, frame.file)
    })
}

fn text_matches(regex: &NamePattern, profile: &Profile, text: Option<StrIdx>) -> bool {
    let text = text.and_then(|text| profile.strings.get(text));
    text.is_some_and(|text| regex.is_match(text))
}

fn module_matches(regex: Option<&NamePattern>, profile: &Profile, location: &Location) -> bool {
    let module = location.module.and_then(|module| profile.module(module));
    let both = regex.zip(module);
    both.is_some_and(|(regex, module)| regex.is_match(&module.path_lossy()))
}
