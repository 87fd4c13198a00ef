//! The answers of a batch, with borrowed names and paths.
//!
//! An answer is 16 bytes: rows of a module's index. The call levels are read from
//! there, and the names and paths borrowed, when they are looked at. The vectors
//! are kept, so that a batch after another allocates nothing.

use std::sync::Arc;

use backsight_index::{FrameRef, Frames, Hit, IndexView, StackFrames};
use backsight_types::Reason;

/// The answers to a batch of requests, in the order of the requests.
///
/// Keeps the tables that its answers point into, however long ago the symbolizer
/// let go of them.
#[derive(Debug, Default)]
pub struct Answers {
    pub(crate) entries: Vec<Answer>,
    pub(crate) indexed: Vec<Arc<IndexView>>,
    pub(crate) frames: Vec<Frames>,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// In the index with this number.
    Indexed(u32, Hit),
    /// In the frames at this place.
    Frames(u32),
    Missing(Reason),
}

/// The call levels at one place, borrowed: inlined functions, innermost first,
/// and the physical function last. Never empty.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a>(StackSource<'a>);

#[derive(Clone, Copy, Debug)]
enum StackSource<'a> {
    Indexed(&'a IndexView, Hit),
    Frames(&'a Frames),
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
    pub(crate) fn answer(&self, entry: &Answer) -> Result<Stack<'_>, Reason> {
        // Every entry is made with a valid number.
        let nowhere = Reason::NoSymbols;
        let place = match *entry {
            Answer::Missing(reason) => return Err(reason),
            Answer::Indexed(of, hit) => {
                let of = usize::try_from(of).ok();
                let indexed = of.and_then(|of| self.indexed.get(of)).ok_or(nowhere)?;
                StackSource::Indexed(indexed, hit)
            }
            Answer::Frames(at) => {
                let at = usize::try_from(at).ok();
                StackSource::Frames(at.and_then(|at| self.frames.get(at)).ok_or(nowhere)?)
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
        match self.0 {
            StackSource::Indexed(indexed, hit) => StackFrames::of_hit(indexed, hit),
            StackSource::Frames(frames) => StackFrames::of_frames(frames),
        }
    }

    /// Returns whether a limit was reached on the way, so that levels, a file or
    /// a line may be missing here.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        match self.0 {
            StackSource::Indexed(indexed, hit) => indexed.is_cut(hit),
            StackSource::Frames(frames) => frames.limit_reached(),
        }
    }

    /// Returns an owned copy.
    #[must_use]
    pub fn to_frames(&self) -> Frames {
        match self.0 {
            StackSource::Indexed(indexed, hit) => indexed.frames(hit),
            StackSource::Frames(frames) => frames.clone(),
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
