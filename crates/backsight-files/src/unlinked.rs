//! Files of a folder that anybody may write to, `/tmp` above all: no link is one of them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open as open_path, openat2};
use nix::sys::stat::Mode;

use crate::error::Error;
use crate::open::{hold_at, reopen};

const FOLDER: OFlag = OFlag::O_PATH
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_DIRECTORY);

/// Holds a folder of this host, whatever links lead to it.
///
/// # Errors
/// [`Error::Io`].
pub fn folder(path: &Path) -> Result<OwnedFd, Error> {
    Ok(open_path(path, FOLDER, Mode::empty()).map_err(io::Error::from)?)
}

/// Holds a folder inside another root directory. No link leads out of it.
///
/// # Errors
/// [`Error::Io`]; also where the kernel has no `openat2` (before Linux 5.6).
pub fn folder_inside(root: &Path, path: &Path) -> Result<OwnedFd, Error> {
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(FOLDER).resolve(inside);
    Ok(openat2(folder(root)?, path, how).map_err(io::Error::from)?)
}

/// Opens the regular file that has this name in a folder, where no link stands.
///
/// # Errors
/// Every variant of [`Error`].
pub fn open_unlinked(folder: impl AsFd, name: &Path) -> Result<File, Error> {
    reopen(hold_at(folder, name)?).map(|(file, _)| file)
}
