//! Why a stack ends.

/// Why a stack has no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WalkEnd {
    /// The frame has no caller: it is a thread's first.
    Outermost,
    /// The caller stands in memory that was not recorded.
    NotRecorded,
    /// The CFI does not say where the caller is, or what it says has no value.
    NoRule,
    /// No CFI speaks of the code, and a guess does not lead into executable memory.
    NotCode,
    /// The caller's frame would not lie above.
    NoProgress,
    /// It has more frames, or asks for more work, than stacks have.
    Limit,
}
