//! How much memory a command takes, as the kernel counts it.

#![expect(unsafe_code, reason = "the standard library waits without the usage")]

use std::mem::MaybeUninit;
use std::process::Command;

/// Runs a command, and returns the most memory that it had resident, in bytes.
///
/// # Panics
/// When it cannot be run, or fails.
#[must_use]
pub fn peak(command: &mut Command) -> u64 {
    #[expect(clippy::zombie_processes, reason = "waited for below, with its usage")]
    let child = command.spawn().expect("it runs");
    let pid = libc::pid_t::try_from(child.id()).expect("a process ID");
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the child is ours, and nobody else waits for it. Both places are ours, and
    // the kernel writes no more than their types have.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!((waited, status), (pid, 0), "{command:?}");
    // SAFETY: it is made of numbers alone, for which the zeros it began with are valid.
    let usage = unsafe { usage.assume_init() };
    u64::try_from(usage.ru_maxrss).expect("a size") * 1024
}
