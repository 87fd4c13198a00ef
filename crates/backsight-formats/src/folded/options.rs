//! How folded stacks are written.

/// The root frame of each stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootFrame {
    /// The outermost function; no extra frame.
    #[default]
    None,
    /// The name of the process, as `stackcollapse-perf.pl` writes it; the process ID if it has no
    /// name.
    Process,
    /// The name of the thread and both IDs: `NAME-PID/TID`.
    Thread,
}

/// How stacks are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The root frame of each stack.
    pub root_frame: RootFrame,
    /// Whether a name says what code it is of, as `stackcollapse-perf.pl --all` writes it and
    /// `flamegraph.pl --color java` reads it: `_[k]` for the kernel, `_[i]` for an inlined
    /// function, `_[j]` for code that was made at run time.
    pub annotated: bool,
    /// Whether a location without a function is named by its module alone, and neighbours of the
    /// same module are one frame: `[libc.so.6]` instead of `libc.so.6+0x8e123`.
    pub modules_alone: bool,
}

impl Options {
    /// Sets the root frame.
    #[must_use]
    pub fn with_root_frame(self, root_frame: RootFrame) -> Self {
        Self { root_frame, ..self }
    }

    /// Sets whether a name says what code it is of.
    #[must_use]
    pub fn with_annotated(self, annotated: bool) -> Self {
        Self { annotated, ..self }
    }

    /// Sets whether a location without a function is named by its module alone.
    #[must_use]
    pub fn with_modules_alone(self, modules_alone: bool) -> Self {
        Self {
            modules_alone,
            ..self
        }
    }
}

impl From<RootFrame> for Options {
    fn from(root_frame: RootFrame) -> Self {
        Self::default().with_root_frame(root_frame)
    }
}
