//! When lines from a kernel's files replace the name that the kernel lists.

use std::borrow::Cow;

use backsight_formats::ndjson::JsonFrame;
use backsight_profile::{Location, ProfileFrame, Strings};
use backsight_symbolize::{Frame, FrameRef};
use backsight_types::{AddrKind, VirtOffset};

/// The function that has code of its own at an address: the last of the frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PhysicalFunction<'a> {
    name: Option<&'a str>,
    linkage_name: Option<Cow<'a, str>>,
    start: Option<VirtOffset>,
}

impl PhysicalFunction<'_> {
    /// Returns whether frames that end with this function replace one that has the listed name
    /// alone: if they have a line, and are of the same function where `must_be_same`.
    ///
    /// Behind the last instruction of a function there may be a line, and no function.
    pub(crate) fn replaces(&self, listed: &Self, has_line: bool, must_be_same: bool) -> bool {
        has_line && self.name.is_some() && (!must_be_same || self.is_same(listed))
    }

    /// Compares where both begin, or else the names.
    fn is_same(&self, listed: &Self) -> bool {
        if let (Some(found), Some(listed)) = (self.start, listed.start) {
            return found == listed;
        }
        let Some(listed) = listed.linkage_name.as_deref().or(listed.name) else {
            return false;
        };
        let names = [self.linkage_name.as_deref(), self.name];
        let mut names = names.into_iter().flatten();
        names.any(|name| without_suffix(name) == without_suffix(listed))
    }

    pub(crate) fn of_profile<'a>(
        frame: &ProfileFrame,
        strings: &'a Strings,
    ) -> PhysicalFunction<'a> {
        PhysicalFunction {
            name: frame.function.and_then(|name| strings.get(name)),
            linkage_name: frame
                .linkage_name
                .and_then(|name| strings.get(name))
                .map(Cow::Borrowed),
            start: frame.start,
        }
    }
}

impl<'a> From<&'a Frame> for PhysicalFunction<'a> {
    fn from(frame: &'a Frame) -> Self {
        FrameRef::from(frame).into()
    }
}

impl<'a> From<FrameRef<'a>> for PhysicalFunction<'a> {
    fn from(frame: FrameRef<'a>) -> Self {
        Self {
            name: frame.function,
            linkage_name: frame.linkage_name(),
            start: frame.start(),
        }
    }
}

impl<'a> From<&'a JsonFrame<'_>> for PhysicalFunction<'a> {
    fn from(frame: &'a JsonFrame<'_>) -> Self {
        Self {
            name: frame.function.as_deref(),
            linkage_name: frame.linkage_name.as_deref().map(Cow::Borrowed),
            start: frame.start,
        }
    }
}

/// Returns whether a location of a profile is in the kernel and has names without lines, of all
/// frames of the profile.
pub(crate) fn wants_lines(location: &Location, frames: &[ProfileFrame]) -> bool {
    let own = || {
        let start = usize::try_from(location.frames.start).ok()?;
        let len = usize::try_from(location.frames.len).ok()?;
        frames.get(start..)?.get(..len)
    };
    let is_named =
        |own: &[ProfileFrame]| !own.is_empty() && own.iter().all(|frame| frame.line.is_none());
    location.kind == Some(AddrKind::Kernel) && own().is_some_and(is_named)
}

/// Returns a name without what the compiler adds to clones: `.isra.0`, `.cold`.
fn without_suffix(name: &str) -> &str {
    name.split_once('.').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use backsight_types::VirtOffset;

    use super::PhysicalFunction;

    fn function(name: Option<&str>, start: Option<u64>) -> PhysicalFunction<'_> {
        PhysicalFunction {
            name,
            linkage_name: None,
            start: start.map(VirtOffset),
        }
    }

    #[test]
    fn lines_replace_a_name_where_they_are_of_its_function() {
        let (f, g) = (Some("f"), Some("g"));
        // What was found, whether it has a line; where the listed function begins.
        let cases = [
            ("the same", (f, 16), true, Some(16), (true, true)),
            ("no line", (f, 16), false, Some(16), (false, false)),
            ("no function", (None, 16), true, Some(16), (false, false)),
            ("another start", (f, 16), true, Some(32), (false, true)),
            ("another name there", (g, 16), true, Some(16), (true, true)),
            ("the name alone", (f, 16), true, None, (true, true)),
            ("another name", (g, 16), true, None, (false, true)),
        ];
        for (what, (name, at), has_line, start, (of_module, of_image)) in cases {
            let (found, listed) = (function(name, Some(at)), function(Some("f.isra.0"), start));
            let replaces = |must| found.replaces(&listed, has_line, must);
            assert_eq!(
                (replaces(true), replaces(false)),
                (of_module, of_image),
                "{what}"
            );
        }
    }
}
