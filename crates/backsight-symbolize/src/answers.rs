//! What a batch found, without a text copied.
//!
//! An answer is 16 bytes: rows of a module's index. The call levels are read from
//! there, and the names and paths borrowed, when they are looked at. The vectors
//! are kept, so that a batch after another allocates nothing.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_types::{Reason, VirtOffset};

use crate::index::{Hit, Level};
use crate::indexed::{Indexed, Levels};
use crate::{Frame, Frames};

/// The answers to a batch of requests, in the order of the requests.
///
/// Keeps the tables that its answers point into, however long ago the symbolizer
/// let go of them.
#[derive(Debug, Default)]
pub struct Answers {
    pub(crate) entries: Vec<Entry>,
    pub(crate) indexed: Vec<Arc<Indexed>>,
    pub(crate) frames: Vec<Frames>,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// In the index with this number.
    Indexed(u32, Hit),
    /// In the frames at this place.
    Frames(u32),
    Missing(Reason),
}

/// The call levels at one place, borrowed: inlined functions, innermost first,
/// and the physical function last. Never empty.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a>(Place<'a>);

#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    Indexed(&'a Indexed, Hit),
    Frames(&'a Frames),
}

/// One call level, as [`Frame`] has it, its texts borrowed. What is rarely asked for is
/// looked up when it is.
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
    pub(crate) origin: Origin<'a>,
}

/// Where the rest of a call level is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'a> {
    Indexed(&'a Indexed, Level),
    Frame(&'a Frame),
}

impl<'a> FrameRef<'a> {
    /// As [`Frame::linkage_name`]: borrowed from the index if its bytes are UTF-8.
    #[must_use]
    pub fn linkage_name(&self) -> Option<Cow<'a, str>> {
        match self.origin {
            Origin::Indexed(indexed, level) => indexed.linkage_name(&level),
            Origin::Frame(frame) => frame.linkage_name.as_deref().map(Cow::Borrowed),
        }
    }

    /// As [`Frame::start_line`].
    #[must_use]
    pub fn start_line(&self) -> Option<u32> {
        match self.origin {
            Origin::Indexed(indexed, level) => indexed.start_line(&level),
            Origin::Frame(frame) => frame.start_line,
        }
    }

    /// As [`Frame::start`].
    #[must_use]
    pub fn start(&self) -> Option<VirtOffset> {
        match self.origin {
            Origin::Indexed(indexed, level) => indexed.start(&level),
            Origin::Frame(frame) => frame.start,
        }
    }
}

/// Equal in all that a [`Frame`] has.
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
            origin: Origin::Frame(frame),
        }
    }
}

impl Answers {
    /// Returns how many requests were answered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there was no request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the answer to the request at this place of the batch; `None` past
    /// its end.
    ///
    /// The reasons are those of [`Symbolizer::symbolize`](crate::Symbolizer::symbolize).
    #[must_use]
    #[inline]
    pub fn get(&self, at: usize) -> Option<Result<Stack<'_>, Reason>> {
        self.entries.get(at).map(|entry| self.answer(entry))
    }

    /// Returns all answers in the order of the requests.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Stack<'_>, Reason>> {
        self.entries.iter().map(|entry| self.answer(entry))
    }

    #[inline]
    pub(crate) fn answer(&self, entry: &Entry) -> Result<Stack<'_>, Reason> {
        // Numbers that lead nowhere are not made.
        let nowhere = Reason::NoSymbols;
        let place = match *entry {
            Entry::Missing(reason) => return Err(reason),
            Entry::Indexed(of, hit) => {
                let of = usize::try_from(of).ok();
                let indexed = of.and_then(|of| self.indexed.get(of)).ok_or(nowhere)?;
                Place::Indexed(indexed, hit)
            }
            Entry::Frames(at) => {
                let at = usize::try_from(at).ok();
                Place::Frames(at.and_then(|at| self.frames.get(at)).ok_or(nowhere)?)
            }
        };
        Ok(Stack(place))
    }

    /// Forgets the answers and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.indexed.clear();
        self.frames.clear();
    }
}

impl<'a> Stack<'a> {
    /// Returns the call levels, innermost first.
    #[must_use]
    #[inline]
    pub fn frames(&self) -> StackFrames<'a> {
        StackFrames(match self.0 {
            Place::Indexed(indexed, hit) => Source::Indexed(indexed.levels(hit)),
            Place::Frames(frames) => Source::Frames(frames.iter()),
        })
    }

    /// Returns whether a limit was reached on the way, so that levels, a file or
    /// a line may be missing here.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        match self.0 {
            Place::Indexed(indexed, hit) => indexed.is_cut(hit),
            Place::Frames(frames) => frames.limit_reached(),
        }
    }

    /// Returns the same with texts of its own.
    #[must_use]
    pub fn to_frames(&self) -> Frames {
        match self.0 {
            Place::Indexed(indexed, hit) => Frames::new(indexed.frames(hit), indexed.is_cut(hit)),
            Place::Frames(frames) => frames.clone(),
        }
    }
}

impl<'a> IntoIterator for Stack<'a> {
    type Item = FrameRef<'a>;
    type IntoIter = StackFrames<'a>;

    fn into_iter(self) -> StackFrames<'a> {
        self.frames()
    }
}

/// The call levels of a [`Stack`], innermost first.
#[derive(Clone, Debug)]
pub struct StackFrames<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Indexed(Levels<'a>),
    Frames(std::slice::Iter<'a, Frame>),
}

impl<'a> Iterator for StackFrames<'a> {
    type Item = FrameRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FrameRef<'a>> {
        match &mut self.0 {
            Source::Indexed(levels) => levels.next(),
            Source::Frames(frames) => frames.next().map(FrameRef::from),
        }
    }
}
