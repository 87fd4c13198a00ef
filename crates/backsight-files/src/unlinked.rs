//! Opens files in a directory that all users may write to, such as `/tmp`, without
//! following links.

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

/// Returns an `O_PATH` descriptor of a directory on this host. Links in the path are
/// followed.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io).
pub fn folder(path: &Path) -> Result<OwnedFd, FileError> {
    let held = open_path(path, FOLDER, Mode::empty());
    held.map_err(|errno| FileError::new("open", Some(path), io::Error::from(errno)))
}

/// Returns an `O_PATH` descriptor of a directory inside another root directory. No link
/// leads out of it.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io); also if the kernel has no `openat2` (before Linux
/// 5.6).
pub fn folder_inside(root: &Path, path: &Path) -> Result<OwnedFd, FileError> {
    resolve_inside(root, path, FOLDER)
        .map_err(|error| FileError::new("open", Some(&path_inside(root, path)), error))
}

/// Opens the regular file with this name in a directory, if it is not a link.
///
/// # Errors
/// Every variant of [`Error`](crate::Error), with the name as the path.
pub fn open_unlinked(folder: impl AsFd, name: &Path) -> Result<File, FileError> {
    let opened = reopen(hold_at(folder, name)?);
    opened
        .map(|(file, _)| file)
        .map_err(|error| error.with_path(name))
}
