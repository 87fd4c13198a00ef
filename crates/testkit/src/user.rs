//! Seeing with the eyes of a user without privileges.

#![expect(
    unsafe_code,
    reason = "credentials of one thread: libc offers those of the process alone"
)]

/// The user and group that own nothing.
const NOBODY: libc::c_long = 65534;

/// Returns whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs `see` without privileges, so that the kernel refuses what it refuses an
/// ordinary user: another user's `/proc/PID/maps` above all.
///
/// As root it runs on a thread of its own that becomes `nobody`; a thread's
/// credentials are its own in Linux, and end with it. Any process of root, a
/// [`Child`](crate::child::Child) too, is then another user's. Without root it
/// just runs: another user's process is then process 1.
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
    // SAFETY: with a count of zero the kernel does not look at the list.
    let groups = unsafe { libc::syscall(libc::SYS_setgroups, 0_usize, none) };
    nix::errno::Errno::result(groups)?;
    // SAFETY: takes three numbers and no memory.
    let group = unsafe { libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) };
    nix::errno::Errno::result(group)?;
    // SAFETY: takes three numbers and no memory.
    let user = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    nix::errno::Errno::result(user)?;
    // A change of user makes the whole process undumpable, and its own /proc
    // files root's. SAFETY: takes numbers and no memory.
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
        // hidepid= makes it look absent.
        assert!(matches!(kind, PermissionDenied | NotFound), "{kind:?}");
    }

    #[test]
    fn the_other_threads_keep_their_user() {
        let before = is_root();
        unprivileged(|| assert!(!is_root()));
        assert_eq!(is_root(), before);
    }
}
