//! Runs code as an unprivileged user.

#![expect(
    unsafe_code,
    reason = "credentials of one thread: libc offers those of the process alone"
)]

/// The user and group `nobody`.
const NOBODY: libc::c_long = 65534;

/// Returns whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs `see` without privileges, so that the kernel denies what it denies an ordinary user:
/// above all, another user's `/proc/PID/maps`.
///
/// As root, it runs on a new thread that becomes `nobody`: credentials on Linux belong to a
/// thread and end with it. Any process of root, including a [`Child`](crate::child::Child), is
/// then another user's. Without root, it runs directly; process 1 is another user's process.
///
/// # Panics
/// When `see` does, and when root may not change its user (a container can
/// forbid it).
pub fn unprivileged<T: Send>(see: impl FnOnce() -> T + Send) -> T {
    if !is_root() {
        return see();
    }
    let become_nobody_and_see = || {
        become_nobody().expect("root becomes nobody");
        see()
    };
    let seen = std::thread::scope(|scope| scope.spawn(become_nobody_and_see).join());
    seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn become_nobody() -> nix::Result<()> {
    let none = std::ptr::null::<libc::gid_t>();
    // SAFETY: with a count of zero, the kernel does not read the list.
    let groups = unsafe { libc::syscall(libc::SYS_setgroups, 0_usize, none) };
    nix::errno::Errno::result(groups)?;
    // SAFETY: takes three numbers and no memory.
    let group = unsafe { libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) };
    nix::errno::Errno::result(group)?;
    // SAFETY: takes three numbers and no memory.
    let user = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    nix::errno::Errno::result(user)?;
    // A change of user makes the whole process undumpable, so that its own /proc files belong to
    // root.
    // SAFETY: takes numbers and no memory.
    nix::errno::Errno::result(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{is_root, unprivileged};

    #[test]
    fn an_ordinary_user_may_not_read_the_memory_map_of_process_1() {
        let refused = unprivileged(|| std::fs::File::open("/proc/1/maps").map(drop));
        let kind = refused.expect_err("process 1 is root's").kind();
        use std::io::ErrorKind::{NotFound, PermissionDenied};
        // With hidepid=, the process is not visible.
        assert!(matches!(kind, PermissionDenied | NotFound), "{kind:?}");
    }

    #[test]
    fn the_other_threads_keep_their_user() {
        let before = is_root();
        unprivileged(|| assert!(!is_root()));
        assert_eq!(is_root(), before);
    }
}
