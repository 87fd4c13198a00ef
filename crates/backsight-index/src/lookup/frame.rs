//! The answer for an address: a list of call levels.

use std::ops::Deref;
use std::sync::Arc;

use backsight_types::VirtOffset;

/// One call level. Texts are shared among frames, so that a clone is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The function's name: the demangled linkage name (or unchanged, if demangling fails
    /// or is disabled), or else the name in DWARF.
    ///
    /// Names are untrusted data of the file: escape them before printing to a terminal.
    pub function: Option<Arc<str>>,
    /// The name in the symbol table, if the source has one. Invalid UTF-8 is replaced by
    /// �.
    pub linkage_name: Option<Arc<str>>,
    /// The source file's full path from the compiler: compilation directory, include
    /// directory and name joined, not normalized.
    pub file: Option<Arc<str>>,
    /// The line in that file, counted from 1. `None` for code without a line or a file.
    pub line: Option<u32>,
    /// The column in that line, counted from 1. `None` also if the compiler gave 0, the
    /// left edge of the line.
    pub column: Option<u32>,
    /// The line of the function's declaration, counted from 1.
    pub start_line: Option<u32>,
    /// Whether the compiler inlined this level into the next.
    pub inlined: bool,
    /// The entry of the function, as an ELF virtual offset. Only the physical function
    /// has one.
    pub start: Option<VirtOffset>,
}

impl Frame {
    /// Returns a physical function with this name, and no other data.
    #[must_use]
    pub fn named(function: impl Into<Arc<str>>) -> Self {
        Self {
            function: Some(function.into()),
            ..Self::default()
        }
    }

    /// Sets the file and line.
    #[must_use]
    pub fn at(self, file: impl Into<Arc<str>>, line: u32) -> Self {
        Self {
            file: Some(file.into()),
            line: known(line),
            ..self
        }
    }

    /// Marks it as a call that was inlined into the next level.
    #[must_use]
    pub fn folded(self) -> Self {
        Self {
            inlined: true,
            ..self
        }
    }
}

/// The call levels at one address: inlined functions, innermost first, and the physical
/// function last. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    list: Arc<[Frame]>,
    limit_reached: bool,
}

impl Frames {
    /// Returns frames of these call levels, innermost first, the physical function last;
    /// `None` if there are none. For custom sources.
    #[must_use]
    pub fn of(levels: Vec<Frame>) -> Option<Self> {
        (!levels.is_empty()).then(|| Self::new(levels, false))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn new(list: Vec<Frame>, limit_reached: bool) -> Self {
        debug_assert!(
            !list.is_empty(),
            "an answer has at least one frame; otherwise return a reason"
        );
        Self {
            list: list.into(),
            limit_reached,
        }
    }

    /// Returns whether a limit was reached, so that levels, a file or a line may be
    /// missing.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        self.limit_reached
    }

    /// Returns the physical function, which is last.
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

/// Converts a line or column, of which 0 means unknown.
#[inline]
pub(crate) fn known(number: u32) -> Option<u32> {
    Some(number).filter(|number| *number > 0)
}

/// Returns a line or a column in this file. Without a file, the number has no meaning.
#[inline]
pub fn known_in<T>(file: &Option<T>, number: u32) -> Option<u32> {
    known(number).filter(|_| file.is_some())
}
