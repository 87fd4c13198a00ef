//! The labels that stand for process, thread and time.
//!
//! Source: `src/perf_data_converter.h` of github.com/google/perf_data_converter, whose
//! `perf_to_profile` is how `pprof` reads perf's files.

/// The process ID, a number.
pub(super) const PID: &str = "pid";
/// The process's name, a text.
pub(super) const PROCESS_NAME: &str = "comm";
/// The thread ID, a number.
pub(super) const TID: &str = "tid";
/// The thread's name, a text.
pub(super) const THREAD_NAME: &str = "thread_comm";
/// When the sample was taken, in nanoseconds of any one clock.
pub(super) const TIME: &str = "timestamp_ns";

/// The fields of a file that the model has no place for, and how the comments begin that
/// keep them.
pub(super) const KEPT: [(u32, &str); 3] = [
    (7, "pprof drop_frames: "),
    (8, "pprof keep_frames: "),
    (15, "pprof doc_url: "),
];
