//! Opens regular files: resolve with `O_PATH`, check, then open.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open as open_path, openat};
use nix::sys::stat::Mode;

use crate::error::FileError;
use crate::error::{Error, NonRegularKind};
use crate::filesystem::is_stored;
use crate::owner::Identity;
use crate::resolve::{Links, open_resolved};

/// The origin of a path, which determines what it may refer to. Only regular files are opened,
/// whatever the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum By {
    /// The user of this program: any regular file, including files of `/proc`.
    Caller,
    /// A name or symbolic link in a directory that the user named: any regular file except on
    /// filesystems that expose kernel state (`/proc`, `/sys`, …).
    Folder,
    /// Another file, which may be untrusted: as [`Folder`](Self::Folder), and magic links of
    /// `/proc` (`exe`, `root`, `fd/N`) are not followed.
    File,
}

/// Refers to a file without opening it, so that a device or FIFO is not affected.
const PATH_ONLY: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// Opens a file for reading, without blocking and without acquiring a controlling terminal; of any
/// size, also on 32-bit machines.
const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_LARGEFILE)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// Opens a regular file of this host by path.
///
/// # Errors
/// Every variant of [`Error`]. If `/proc` is not mounted, a file named by the caller is opened
/// by its path a second time, and must still be the same file.
pub fn open(path: &Path, by: By) -> Result<File, FileError> {
    open_by(path, by).map_err(|error| FileError::new("open", Some(path), error))
}

fn open_by(path: &Path, by: By) -> Result<File, Error> {
    let place = match by {
        By::Caller | By::Folder => descriptor(open_path(path, PATH_ONLY, Mode::empty()))?,
        By::File => without_magic(path)?,
    };
    if by != By::Caller {
        return reopen_any(place).map(|(file, _)| file);
    }
    let place = File::from(place);
    let metadata = is_regular(&place)?;
    match by_descriptor(&place) {
        Err(Error::NoProc) => open_again(path, &metadata),
        opened => opened,
    }
}

/// Opens a regular file by path inside another root directory, which the user names. Symbolic
/// links and `..` cannot leave it, and magic links of `/proc` are not followed in it.
///
/// # Errors
/// Every variant of [`Error`]; [`Error::Io`] also if the kernel has no `openat2`
/// (before Linux 5.6).
pub fn open_inside(root: &Path, path: &Path) -> Result<File, FileError> {
    resolve_inside(root, path, PATH_ONLY)
        .and_then(reopen_any)
        .map(|(file, _)| file)
        .map_err(|error| FileError::new("open", Some(&path_inside(root, path)), error))
}

/// Resolves a path inside another root directory. No link leads out of it.
pub(crate) fn resolve_inside(root: &Path, path: &Path, flags: OFlag) -> Result<OwnedFd, Error> {
    let folder = descriptor(open_path(
        root,
        PATH_ONLY | OFlag::O_DIRECTORY,
        Mode::empty(),
    ))?;
    let inside = Links::InRootWithoutMagic;
    descriptor(open_resolved(folder, path, flags, inside))
}

/// Refers to a file inside another root directory, without opening it. Symbolic links and `..` cannot
/// leave it.
///
/// # Errors
/// [`Error::Io`], also if the kernel has no `openat2` (before Linux 5.6).
pub fn hold_in_root(root: impl AsFd, path: &Path) -> Result<OwnedFd, FileError> {
    descriptor(open_resolved(root, path, PATH_ONLY, Links::InRoot))
        .map_err(|error| FileError::new("open", Some(path), error))
}

/// Returns the path on this host of a file inside a root, without resolving links.
pub(crate) fn path_inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Returns an `O_PATH` descriptor of the file with this name in a directory; of the link itself
/// if it is a symbolic link.
///
/// # Errors
/// [`Error::Io`], with the name as the path.
pub fn hold_at(directory: impl AsFd, name: &Path) -> Result<OwnedFd, FileError> {
    let flags = PATH_ONLY | OFlag::O_NOFOLLOW;
    let held = descriptor(openat(directory, name, flags, Mode::empty()));
    held.map_err(|error| FileError::new("open", Some(name), error))
}

/// Opens the file that an `O_PATH` descriptor refers to, if it is a regular file and not
/// on a filesystem that exposes kernel state. Also returns its identity.
///
/// # Errors
/// Every variant of [`Error`], without a path.
pub fn reopen(place: OwnedFd) -> Result<(File, Identity), FileError> {
    reopen_any(place).map_err(|error| FileError::new("open", None, error))
}

fn reopen_any(place: OwnedFd) -> Result<(File, Identity), Error> {
    let place = File::from(place);
    let metadata = is_regular(&place)?;
    is_stored(&place)?;
    Ok((by_descriptor(&place)?, Identity::from(&metadata)))
}

/// Converts the result of a system call that returns a descriptor.
fn descriptor(opened: nix::Result<OwnedFd>) -> Result<OwnedFd, Error> {
    Ok(opened.map_err(io::Error::from)?)
}

fn by_descriptor(place: &File) -> Result<File, Error> {
    let link = format!("/proc/self/fd/{}", place.as_raw_fd());
    match open_path(link.as_str(), READ, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        // The descriptor exists, so what is missing is /proc.
        Err(Errno::ENOENT | Errno::ENOTDIR) => Err(Error::NoProc),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

/// Resolves a path without following magic links of `/proc`. On a kernel that cannot do that,
/// they are followed; the file is checked in any case.
fn without_magic(path: &Path) -> Result<OwnedFd, Error> {
    match open_resolved(AT_FDCWD, path, PATH_ONLY, Links::WithoutMagic) {
        // Linux before 5.6, or a seccomp filter that does not allow the call.
        Err(Errno::ENOSYS | Errno::EPERM) => descriptor(open_path(path, PATH_ONLY, Mode::empty())),
        Err(Errno::ELOOP) if path.exists() => Err(Error::Kernels),
        held => descriptor(held),
    }
}

/// Opens a file that the user named by its path a second time, if /proc is not mounted.
fn open_again(path: &Path, held: &Metadata) -> Result<File, Error> {
    let file = File::from(descriptor(open_path(path, READ, Mode::empty()))?);
    let opened = is_regular(&file)?;
    match (opened.dev(), opened.ino()) == (held.dev(), held.ino()) {
        true => Ok(file),
        false => Err(Error::Replaced),
    }
}

/// Returns the metadata of a regular file; an error for any other kind.
fn is_regular(place: &File) -> Result<Metadata, Error> {
    let metadata = place.metadata()?;
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(Error::NotRegular(NonRegularKind::of(metadata.file_type()))),
    }
}

/// Returns a path of an open directory that stays valid if the directory is renamed.
#[must_use]
pub fn path_of(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}
