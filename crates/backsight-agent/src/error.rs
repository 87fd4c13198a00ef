//! Why sampling cannot start, or cannot go on.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

/// Why sampling cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamplingError {
    /// There is no such process.
    #[error("no process {pid}: it has exited or never existed")]
    NoSuchProcess {
        /// Its ID.
        pid: u32,
    },
    /// This user may not observe the target.
    #[error(
        "permission denied to sample {whom} (kernel.perf_event_paranoid is {paranoid}): \
         run as root or with CAP_PERFMON, or lower it with sysctl{}",
        of_own(whom)
    )]
    Denied {
        /// The target.
        whom: String,
        /// The value of the sysctl, or `unknown`.
        paranoid: String,
    },
    /// The kernel was built without perf events, or a filter of system calls forbids them, as in
    /// many containers.
    #[error(
        "this kernel has no perf events, or a seccomp filter forbids them: in a container, allow \
         perf_event_open"
    )]
    Unsupported,
    /// The sampling frequency is above what the kernel allows.
    #[error(
        "{frequency} samples a second are more than kernel.perf_event_max_sample_rate allows \
         ({limit}): give a lower frequency, or raise it with sysctl"
    )]
    TooFast {
        /// The frequency that was asked for.
        frequency: u64,
        /// The value of the sysctl.
        limit: u64,
    },
    /// An option has a value that cannot be.
    #[error("{0}")]
    Option(&'static str),
    /// The directory is not that of a cgroup with perf events.
    #[error(
        "{}: not a cgroup that can be sampled: give its directory below the mount of cgroup2, or \
         of the controller perf_event", path.display()
    )]
    NoCgroup {
        /// The directory.
        path: PathBuf,
    },
    /// The processes of the target are too many events for this process.
    #[error("{events} events for {threads} threads: allow more open files, with ulimit -n")]
    TooManyFiles {
        /// The events that are open.
        events: usize,
        /// The threads of the target.
        threads: usize,
    },
    /// A system call failed.
    #[error("cannot {operation}: {error}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
}

/// At 2 and below, a user may observe their own processes.
fn of_own(whom: &str) -> &'static str {
    match whom.starts_with("process") {
        true => "; processes of your own can be sampled at 2 and below",
        false => "; the whole machine can be sampled at 0 and below",
    }
}

impl SamplingError {
    pub(crate) fn io(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { operation, error }
    }
}

/// Returns the error number of a failed system call.
pub(crate) fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}
