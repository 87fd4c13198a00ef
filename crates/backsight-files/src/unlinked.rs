//! Files of a folder that anybody may write to, `/tmp` above all: no link is one of them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open as open_path};
use nix::sys::stat::Mode;

use crate::error::FileError;
use crate::open::{hold_at, path_inside, reopen, resolve_inside};

const FOLDER: OFlag = OFlag::O_PATH
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_DIRECTORY);

/// Holds a folder of this host, whatever links lead to it.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io).
pub fn folder(path: &Path) -> Result<OwnedFd, FileError> {
    let held = open_path(path, FOLDER, Mode::empty());
    held.map_err(|errno| FileError::new("open", Some(path), io::Error::from(errno)))
}

/// Holds a folder inside another root directory. No link leads out of it.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io); also where the kernel has no `openat2` (before Linux 5.6).
pub fn folder_inside(root: &Path, path: &Path) -> Result<OwnedFd, FileError> {
    resolve_inside(root, path, FOLDER)
        .map_err(|error| FileError::new("open", Some(&path_inside(root, path)), error))
}

/// Opens the regular file that has this name in a folder, where no link stands.
///
/// # Errors
/// Every variant of [`Error`](crate::Error), with the name as the path.
pub fn open_unlinked(folder: impl AsFd, name: &Path) -> Result<File, FileError> {
    let opened = reopen(hold_at(folder, name)?);
    opened
        .map(|(file, _)| file)
        .map_err(|error| error.with_path(name))
}
