//! The labels for process, thread and time.
//!
//! Source: `src/perf_data_converter.h` of github.com/google/perf_data_converter. Its program
//! `perf_to_profile` converts recordings of perf for `pprof`.

/// The process ID, a number.
pub(super) const PID: &str = "pid";
/// The name of the process, a text.
pub(super) const PROCESS_NAME: &str = "comm";
/// The thread ID, a number.
pub(super) const TID: &str = "tid";
/// The name of the thread, a text.
pub(super) const THREAD_NAME: &str = "thread_comm";
/// The time of the sample, in nanoseconds; the clock is not specified.
pub(super) const TIME: &str = "timestamp_ns";

/// Fields that the model does not have. They become comments that start with these texts.
pub(super) const KEPT: [(u32, &str); 3] = [
    (7, "pprof drop_frames: "),
    (8, "pprof keep_frames: "),
    (15, "pprof doc_url: "),
];
