//! One call level of an answer, with borrowed texts.

use std::borrow::Cow;

use backsight_types::VirtOffset;

use super::frame::{Frame, Frames, known_in};
use super::search::Hit;
use super::view::{IndexView, Levels};

/// One call level, as [`Frame`], with borrowed texts. Data that is rarely needed is
/// looked up on request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FrameRef<'a> {
    /// As [`Frame::function`].
    pub function: Option<&'a str>,
    /// As [`Frame::file`].
    pub file: Option<&'a str>,
    /// As [`Frame::line`].
    pub line: Option<u32>,
    /// As [`Frame::column`].
    pub column: Option<u32>,
    /// As [`Frame::inlined`].
    pub inlined: bool,
    origin: FrameOrigin<'a>,
}

/// Where the other data of a call level is.
#[derive(Clone, Copy, Debug)]
enum FrameOrigin<'a> {
    /// In the node with this number.
    Indexed(&'a IndexView, u32),
    Frame(&'a Frame),
}

impl<'a> FrameRef<'a> {
    /// As [`Frame::linkage_name`]: borrowed from the index if its bytes are UTF-8.
    #[must_use]
    pub fn linkage_name(&self) -> Option<Cow<'a, str>> {
        match self.origin {
            FrameOrigin::Indexed(indexed, node) => indexed.linkage_name(node),
            FrameOrigin::Frame(frame) => frame.linkage_name.as_deref().map(Cow::Borrowed),
        }
    }

    /// As [`Frame::start_line`].
    #[must_use]
    pub fn start_line(&self) -> Option<u32> {
        match self.origin {
            FrameOrigin::Indexed(indexed, node) => indexed.start_line(node),
            FrameOrigin::Frame(frame) => frame.start_line,
        }
    }

    /// As [`Frame::start`].
    #[must_use]
    pub fn start(&self) -> Option<VirtOffset> {
        match self.origin {
            FrameOrigin::Indexed(indexed, node) => indexed.start(node),
            FrameOrigin::Frame(frame) => frame.start,
        }
    }
}

/// Equal if all fields of a [`Frame`] are.
impl PartialEq for FrameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        let shown = |frame: &Self| (frame.function, frame.file, frame.line, frame.column);
        shown(self) == shown(other)
            && self.inlined == other.inlined
            && self.linkage_name() == other.linkage_name()
            && self.start_line() == other.start_line()
            && self.start() == other.start()
    }
}

impl Eq for FrameRef<'_> {}

impl<'a> From<&'a Frame> for FrameRef<'a> {
    fn from(frame: &'a Frame) -> Self {
        Self {
            function: frame.function.as_deref(),
            file: frame.file.as_deref(),
            line: frame.line,
            column: frame.column,
            inlined: frame.inlined,
            origin: FrameOrigin::Frame(frame),
        }
    }
}

impl IndexView {
    /// Returns the call levels at a virtual offset, innermost first, with borrowed texts;
    /// `None` if nothing is known. For a return address, look up the byte before.
    #[must_use]
    pub fn look_up(&self, at: VirtOffset) -> Option<StackFrames<'_>> {
        self.find(at.0).map(|hit| StackFrames::of_hit(self, hit))
    }
}

/// The call levels at one address, innermost first, with borrowed texts.
#[derive(Clone, Debug)]
pub struct StackFrames<'a>(FrameSource<'a>);

#[derive(Clone, Debug)]
enum FrameSource<'a> {
    Indexed(&'a IndexView, Levels<'a>),
    Frames(std::slice::Iter<'a, Frame>),
}

impl<'a> StackFrames<'a> {
    /// Returns the call levels of a hit in an index.
    #[must_use]
    #[inline]
    pub fn of_hit(indexed: &'a IndexView, hit: Hit) -> Self {
        Self(FrameSource::Indexed(indexed, indexed.levels(hit)))
    }

    /// Returns the call levels of owned frames.
    #[must_use]
    pub fn of_frames(frames: &'a Frames) -> Self {
        Self(FrameSource::Frames(frames.iter()))
    }
}

impl<'a> Iterator for StackFrames<'a> {
    type Item = FrameRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FrameRef<'a>> {
        match &mut self.0 {
            FrameSource::Indexed(indexed, levels) => {
                let level = levels.next()?;
                let file = indexed.path(&level);
                Some(FrameRef {
                    function: indexed.name(&level),
                    line: known_in(&file, level.line),
                    column: known_in(&file, level.column.into()),
                    file,
                    inlined: level.inlined,
                    origin: FrameOrigin::Indexed(indexed, level.node),
                })
            }
            FrameSource::Frames(frames) => frames.next().map(FrameRef::from),
        }
    }
}
