//! The events of a trace.

use crate::trace::process::{ProcessRecord, ThreadRecord};
use crate::trace::sample::SampleRecord;

/// One event of a trace.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A change of a process or of the kernel, such as a mapping or an exec. Its time is
    /// 0 for the state before the recording started.
    Process(ProcessRecord),
    /// A thread started, got a name, or ended.
    Thread(ThreadRecord),
    /// A sample.
    Sample(SampleRecord<'a>),
    /// A context switch: a thread was scheduled out or in.
    Switched {
        /// The time in nanoseconds.
        time_ns: u64,
        /// The process.
        pid: u32,
        /// The thread.
        tid: u32,
        /// Whether it was scheduled out.
        is_out: bool,
    },
    /// This many records were lost, because the buffers were not read in time.
    Lost(u64),
    /// The kernel throttled sampling because it took too much time.
    Throttled,
}
