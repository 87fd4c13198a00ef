//! How stacks of live processes are taken.

use std::time::Duration;

/// How stacks of a live process are taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StackOptions {
    /// The only thread to look at; all threads if `None`.
    pub tid: Option<u32>,
    /// The maximum number of frames of a stack, the innermost ones.
    pub max_frames: usize,
    /// The maximum number of bytes of a stack that are copied. A stack that has more ends there.
    pub max_stack_bytes: usize,
    /// How long a thread may take to stop. A thread that waits for a disk or a file server stops
    /// only after that, and so may never.
    pub wait: Duration,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            tid: None,
            max_frames: 1024,
            max_stack_bytes: 8 << 20,
            wait: Duration::from_millis(250),
        }
    }
}

impl StackOptions {
    /// Looks at one thread only, if one is given.
    #[must_use]
    pub fn with_tid(self, tid: Option<u32>) -> Self {
        Self { tid, ..self }
    }

    /// Sets the maximum number of frames of a stack.
    #[must_use]
    pub fn with_max_frames(self, max_frames: usize) -> Self {
        Self { max_frames, ..self }
    }

    /// Sets the maximum number of bytes of a stack that are copied.
    #[must_use]
    pub fn with_max_stack_bytes(self, max_stack_bytes: usize) -> Self {
        Self {
            max_stack_bytes,
            ..self
        }
    }

    /// Sets how long a thread may take to stop.
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }
}
