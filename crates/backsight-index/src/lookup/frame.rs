//! What is found at a place: a stack of call levels.

use std::ops::Deref;
use std::sync::Arc;

use backsight_types::VirtOffset;

/// One call level. Texts are shared among frames, so that a clone is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The function's name: the linkage name demangled (or as it stands, where
    /// that fails or is not wanted), else the name that DWARF gives.
    ///
    /// Names come from the file: escape them before they reach a terminal.
    pub function: Option<Arc<str>>,
    /// The name the linker knows, when the source has one. Bytes that are not
    /// UTF-8 stand as �.
    pub linkage_name: Option<Arc<str>>,
    /// The source file's full path, as the compiler wrote it: compilation
    /// directory, include directory and name joined, nothing tidied.
    pub file: Option<Arc<str>>,
    /// The line in that file, from 1. `None` for code that has no line, or no file.
    pub line: Option<u32>,
    /// The column in that line, from 1. `None` also for the left edge.
    pub column: Option<u32>,
    /// The line where the source declares the function, from 1.
    pub start_line: Option<u32>,
    /// Whether the compiler inlined this level into the next.
    pub inlined: bool,
    /// Where the function begins: on the physical function alone, as an ELF
    /// virtual offset.
    pub start: Option<VirtOffset>,
}

impl Frame {
    /// A physical function of this name, and nothing else that is known of it.
    #[must_use]
    pub fn named(function: impl Into<Arc<str>>) -> Self {
        Self {
            function: Some(function.into()),
            ..Self::default()
        }
    }

    /// The same, with a place in the source.
    #[must_use]
    pub fn at(self, file: impl Into<Arc<str>>, line: u32) -> Self {
        Self {
            file: Some(file.into()),
            line: known(line),
            ..self
        }
    }

    /// The same, as a call that was inlined into the next level.
    #[must_use]
    pub fn folded(self) -> Self {
        Self {
            inlined: true,
            ..self
        }
    }
}

/// The call levels at one place: inlined functions, innermost first, and the
/// physical function last. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    list: Arc<[Frame]>,
    limit_reached: bool,
}

impl Frames {
    /// Takes call levels, innermost first, the physical function last: `None` when there
    /// are none. For sources of one's own.
    #[must_use]
    pub fn of(levels: Vec<Frame>) -> Option<Self> {
        (!levels.is_empty()).then(|| Self::new(levels, false))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn new(list: Vec<Frame>, limit_reached: bool) -> Self {
        debug_assert!(!list.is_empty(), "no frames is a reason, not an answer");
        Self {
            list: list.into(),
            limit_reached,
        }
    }

    /// Returns whether a limit was reached on the way, so that levels, a file or
    /// a line may be missing here.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        self.limit_reached
    }

    /// Returns the physical function, which stands last.
    #[must_use]
    pub fn physical(&self) -> Option<&Frame> {
        self.list.last()
    }
}

impl Deref for Frames {
    type Target = [Frame];

    fn deref(&self) -> &[Frame] {
        &self.list
    }
}

impl<'f> IntoIterator for &'f Frames {
    type Item = &'f Frame;
    type IntoIter = std::slice::Iter<'f, Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// Of lines and columns 0 is unknown.
#[inline]
pub(crate) fn known(number: u32) -> Option<u32> {
    Some(number).filter(|number| *number > 0)
}

/// Returns a line or a column in this file: without one, a number says nothing.
#[inline]
pub fn known_in<T>(file: &Option<T>, number: u32) -> Option<u32> {
    known(number).filter(|_| file.is_some())
}
