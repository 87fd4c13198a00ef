//! The stack of one thread.

use std::time::Duration;

use backsight_types::{AbsAddr, Lookup};
use backsight_unwind::WalkedFrame;

use super::refusal::StackRefusal;

/// A frame of a live thread's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackFrame {
    /// The program counter, or the return address.
    pub addr: AbsAddr,
    /// Which of the two `addr` is.
    pub lookup: Lookup,
    /// Whether the frame was found without call frame information.
    pub is_guessed: bool,
}

impl From<WalkedFrame> for StackFrame {
    fn from(frame: WalkedFrame) -> Self {
        Self {
            addr: frame.addr,
            lookup: frame.lookup,
            is_guessed: frame.is_guessed,
        }
    }
}

/// Why a stack has no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackEnd {
    /// The last frame has no caller: it is where the thread begins.
    Outermost,
    /// The maximum number of frames is reached.
    FrameLimit,
    /// The maximum number of bytes of a stack is reached.
    ByteLimit,
    /// The memory where the caller should be cannot be read.
    Unreadable,
    /// Neither call frame information nor frame pointers lead to the caller.
    NoCaller,
}

impl StackEnd {
    /// Returns its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outermost => "outermost",
            Self::FrameLimit => "frame-limit",
            Self::ByteLimit => "byte-limit",
            Self::Unreadable => "unreadable",
            Self::NoCaller => "no-caller",
        }
    }
}

/// A thread of a live process, and its stack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadStack {
    /// Its thread ID, in the PID namespace of the caller.
    pub tid: u32,
    /// Its name, as set by the process: arbitrary bytes.
    pub name: Vec<u8>,
    /// Its frames, innermost first, and why there are no more.
    pub stack: Result<(Vec<StackFrame>, StackEnd), StackRefusal>,
    /// For how long it was stopped, at most: from the request to stop until it was told to run
    /// on, of all stops together.
    pub stopped: Duration,
    /// How often it was stopped: again when the stack went beyond what was copied.
    pub stops: u32,
}

impl ThreadStack {
    /// A thread that was not looked at yet.
    pub(super) fn unread(tid: u32, name: Vec<u8>) -> Self {
        Self {
            tid,
            name,
            stack: Err(StackRefusal::Ended),
            stopped: Duration::ZERO,
            stops: 0,
        }
    }
}
