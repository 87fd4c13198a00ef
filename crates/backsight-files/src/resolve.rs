//! Opens a path whose links may lead only to some places: `openat2`, of Linux 5.6.
//!
//! The library that makes the other system calls has it for GNU and musl only; another one has it
//! for Android.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// Where links in a path may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// Not out of the directory, which is the root of absolute paths.
    InRoot,
    /// The same, and magic links of `/proc` are not followed.
    InRootWithoutMagic,
    /// Anywhere, but magic links of `/proc` are not followed.
    WithoutMagic,
}

/// Opens a path beneath a directory.
///
/// # Errors
/// Those of the system call: [`Errno::ENOSYS`] before Linux 5.6.
pub(crate) fn open_resolved(
    folder: impl AsFd,
    path: &Path,
    flags: OFlag,
    links: Links,
) -> Result<OwnedFd, Errno> {
    system::open(folder, path, flags, links)
}

#[cfg(not(target_os = "android"))]
mod system {
    use nix::fcntl::{OpenHow, ResolveFlag, openat2};

    use super::{AsFd, Errno, Links, OFlag, OwnedFd, Path};

    pub(super) fn open(
        folder: impl AsFd,
        path: &Path,
        flags: OFlag,
        links: Links,
    ) -> Result<OwnedFd, Errno> {
        let resolve = match links {
            Links::InRoot => ResolveFlag::RESOLVE_IN_ROOT,
            Links::InRootWithoutMagic => {
                ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS
            }
            Links::WithoutMagic => ResolveFlag::RESOLVE_NO_MAGICLINKS,
        };
        openat2(folder, path, OpenHow::new().flags(flags).resolve(resolve))
    }
}

#[cfg(target_os = "android")]
mod system {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

    use super::{AsFd, Errno, Links, OFlag, OwnedFd, Path};

    pub(super) fn open(
        folder: impl AsFd,
        path: &Path,
        flags: OFlag,
        links: Links,
    ) -> Result<OwnedFd, Errno> {
        let resolve = match links {
            Links::InRoot => ResolveFlags::IN_ROOT,
            Links::InRootWithoutMagic => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            Links::WithoutMagic => ResolveFlags::NO_MAGICLINKS,
        };
        let flags = OFlags::from_bits_retain(flags.bits().cast_unsigned());
        let opened = openat2(folder, path, flags, Mode::empty(), resolve);
        opened.map_err(|error| Errno::from_raw(error.raw_os_error()))
    }
}
