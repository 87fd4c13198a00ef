//! What happened, one thing at a time.

use crate::trace::process::{ProcessRecord, ThreadRecord};
use crate::trace::sample::SampleRecord;

/// One thing that happened, in order of time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A process, or the kernel, mapped something or became something else. Its time
    /// is 0 for what was there before the recording began.
    Process(ProcessRecord),
    /// A thread began, was named, or ended.
    Thread(ThreadRecord),
    /// A sample.
    Sample(SampleRecord<'a>),
    /// A thread gave its processor away, or got one.
    Switched {
        /// When, in nanoseconds.
        time_ns: u64,
        /// The thread.
        tid: u32,
        /// Whether it runs no more.
        is_out: bool,
    },
    /// So many records were lost, since nobody emptied the buffers in time.
    Lost(u64),
    /// The kernel took fewer samples for a while: they took too much time.
    Throttled,
}
