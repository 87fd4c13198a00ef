//! The peak memory and the processor time of a command, as measured by the kernel.

#![expect(unsafe_code, reason = "the standard library waits without the usage")]

use std::mem::MaybeUninit;
use std::process::Command;
use std::time::Duration;

/// What a command took.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The maximum resident memory, in bytes.
    pub peak: u64,
    /// The processor time, of user code and the kernel.
    pub processor: Duration,
}

/// Runs a command, and returns its maximum resident memory in bytes.
///
/// # Panics
/// When it cannot be run, or fails.
#[must_use]
pub fn peak(command: &mut Command) -> u64 {
    usage(command).peak
}

/// Runs a command, and returns what it took.
///
/// # Panics
/// When it cannot be run, or fails.
#[must_use]
pub fn usage(command: &mut Command) -> Usage {
    #[expect(clippy::zombie_processes, reason = "waited for below, with its usage")]
    let child = command.spawn().expect("it runs");
    let pid = libc::pid_t::try_from(child.id()).expect("a process ID");
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the child is ours, and nothing else waits for it. Both pointers are valid, and the
    // kernel writes at most the size of their types.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!((waited, status), (pid, 0), "{command:?}");
    // SAFETY: the structure consists of numbers, for which zeros are valid.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).expect("a time");
        let micros = u64::try_from(time.tv_usec).expect("a time");
        Duration::from_micros(seconds * 1_000_000 + micros)
    };
    Usage {
        peak: u64::try_from(usage.ru_maxrss).expect("a size") * 1024,
        processor: time(usage.ru_utime) + time(usage.ru_stime),
    }
}

/// Returns the processor time of this thread.
///
/// # Panics
/// If the kernel has not got this clock.
#[must_use]
pub fn thread_time() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is valid, and the kernel writes a time to it.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) };
    assert_eq!(done, 0, "a clock of each thread");
    // SAFETY: the structure consists of numbers, for which zeros are valid.
    let time = unsafe { time.assume_init() };
    let number = |number: i64| u64::try_from(number).expect("a time");
    Duration::from_secs(number(time.tv_sec)) + Duration::from_nanos(number(time.tv_nsec))
}
