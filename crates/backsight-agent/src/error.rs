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
    /// The files of `/proc` are of other processes than the events.
    #[error(
        "/proc is that of another PID namespace, where the same numbers are other processes: mount \
         that of this one (mount -t proc proc /proc, unshare --mount-proc), or record outside of it"
    )]
    ForeignProc,
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
    /// This process has the right to sample, and the kernel refuses it nevertheless.
    #[error(
        "permission denied to sample {whom}, although this process has CAP_PERFMON: a seccomp \
         filter or a security module (LSM) forbids it: in a container, allow perf_event_open"
    )]
    Forbidden {
        /// The target.
        whom: String,
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
        "{}: not a cgroup that can be sampled, or nothing is there: give its directory below the mount of cgroup2, or \
         of the controller perf_event", path.display()
    )]
    NoCgroup {
        /// The directory.
        path: PathBuf,
    },
    /// The threads of the target are too many events for this process.
    #[error(
        "{threads} threads take {needed} open files, one for each event of each thread on each \
         processor, and {events} could be opened: allow more, with ulimit -n, or sample the whole \
         machine or a cgroup, which takes few"
    )]
    TooManyFiles {
        /// The events that are open.
        events: usize,
        /// The threads of the target.
        threads: usize,
        /// The events that they take.
        needed: usize,
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
        true => {
            "; processes of your own can be sampled at 2 and below, those of others with \
                 CAP_SYS_PTRACE, too"
        }
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
