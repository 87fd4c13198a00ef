//! The behaviour of this kernel's `PROCMAP_QUERY`, tested without our code.

#![expect(unsafe_code, reason = "a raw system call is the point: an oracle")]

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// `_IOWR('f', 17, struct procmap_query)`.
pub const PROCMAP_QUERY: u32 = 0xc068_6611;

/// The size of `struct procmap_query` in 64-bit words.
const WORDS: usize = 104 / 8;

/// The result of `PROCMAP_QUERY` on a maps file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ioctl {
    /// It is supported: Linux 6.11 or later.
    Answers,
    /// It fails with this errno: `ENOTTY` on an old kernel, any with a filter.
    Refused(Errno),
}

/// Queries with `struct procmap_query` as words: the first is its size in bytes, and the answer
/// is written over the query. Bytes beyond that size, or beyond the kernel's structure, are not
/// changed.
///
/// Buffers for names and build IDs are not supported: words 11 and 12 must be zero.
///
/// # Errors
/// What the kernel says.
///
/// # Panics
/// When `words` is shorter than a structure of today or than its size says, or has
/// the address of a buffer.
pub fn procmap_query(maps: &impl AsRawFd, words: &mut [u64]) -> Result<(), Errno> {
    query_by_number(maps, PROCMAP_QUERY, words)
}

/// As [`procmap_query`], by another request number.
///
/// # Errors
/// As [`procmap_query`].
///
/// # Panics
/// As [`procmap_query`], and for a number of another group than `'f'`, 17.
pub fn query_by_number(maps: &impl AsRawFd, request: u32, words: &mut [u64]) -> Result<(), Errno> {
    assert_eq!(request & 0xffff, PROCMAP_QUERY & 0xffff);
    assert!(words.len() >= WORDS && words[11] == 0 && words[12] == 0);
    let fits = words[0] <= size_of_val(words) as u64;
    assert!(fits || words[0] > 4096, "the kernel refuses larger ones");
    // The number is an `int` on some C libraries, and negative there.
    // SAFETY: the kernel writes at most the smaller of its own structure and the size in the
    // first word, which `words` has; it rejects sizes above 4096, and unknown request numbers.
    // The addresses of both buffers are zero.
    let status =
        unsafe { libc::ioctl(maps.as_raw_fd(), request as libc::Ioctl, words.as_mut_ptr()) };
    Errno::result(status).map(drop)
}

/// Queries the first VMA of this process.
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
    match procmap_query(&maps, &mut query) {
        Ok(()) => Ioctl::Answers,
        Err(errno) => Ioctl::Refused(errno),
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

    /// `cargo xtask old-kernel` tells which errno its filter returns. Without it, CI must notice
    /// if its kernel does not support the ioctl.
    #[test]
    fn the_kernel_supports_the_ioctl_as_expected() {
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
