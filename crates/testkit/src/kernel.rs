//! What this kernel does with `PROCMAP_QUERY`, asked without any of our code.

#![expect(unsafe_code, reason = "a raw system call is the point: an oracle")]

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// `_IOWR('f', 17, struct procmap_query)`.
pub const PROCMAP_QUERY: u32 = 0xc068_6611;

/// The size of `struct procmap_query` in 64-bit words.
const WORDS: usize = 104 / 8;

/// How the kernel takes `PROCMAP_QUERY` on a maps file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ioctl {
    /// It answers: Linux 6.11 or later.
    Answers,
    /// It refuses, with this errno. An old kernel says `ENOTTY`, a filter what
    /// it likes.
    Refused(Errno),
}

/// Asks for the first VMA of this process.
///
/// # Panics
/// When `/proc/self/maps` cannot be opened.
#[must_use]
pub fn ioctl() -> Ioctl {
    const COVERING_OR_NEXT: u64 = 0x10;
    let maps = File::open("/proc/self/maps").expect("/proc is mounted");
    let mut query = [0_u64; WORDS];
    query[0] = 104;
    query[1] = COVERING_OR_NEXT;
    // SAFETY: the kernel writes at most the 104 bytes that the request number
    // carries, which `query` has; both buffer addresses in it are zero.
    let status = unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY.into(), &mut query) };
    if status == 0 {
        Ioctl::Answers
    } else {
        Ioctl::Refused(Errno::last())
    }
}

/// Returns the running kernel's version: 6.11.2 gives `(6, 11)`.
///
/// # Panics
/// When `/proc/sys/kernel/osrelease` does not begin with a version.
#[must_use]
pub fn version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse().expect("a version number"));
    let mut next = || numbers.next().expect("major.minor");
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::{Ioctl, ioctl, version};
    use crate::old_kernel::errno_named;

    /// `cargo xtask old-kernel` says what its filter should look like from here.
    /// Without it, CI must notice when its kernel does not test the fast path.
    #[test]
    fn the_kernel_is_as_old_as_the_run_claims() {
        if let Some(name) = std::env::var_os("BACKSIGHT_OLD_KERNEL") {
            let name = name.to_string_lossy();
            let errno = errno_named(&name).expect("an errno that old-kernel offers");
            assert_eq!(ioctl(), Ioctl::Refused(errno));
        } else if std::env::var_os("BACKSIGHT_NO_SKIP").is_some() && version() >= (6, 11) {
            assert_eq!(ioctl(), Ioctl::Answers);
        }
    }

    #[test]
    fn the_kernel_has_a_version() {
        assert!(version() >= (3, 0));
    }
}
