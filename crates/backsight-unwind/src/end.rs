//! Why a stack has no more frames.

/// Why a stack has no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WalkEnd {
    /// The frame has no caller: it is the outermost frame of its thread.
    Outermost,
    /// The caller is in memory that was not recorded.
    NotRecorded,
    /// The CFI has no rule for the caller, or the rule cannot be evaluated.
    NoRule,
    /// There is no CFI for the code, and a guessed caller is not in executable memory.
    NotCode,
    /// The caller's frame would not be above this one.
    NoProgress,
    /// The limit of frames, or of work for one stack, is reached.
    Limit,
}
