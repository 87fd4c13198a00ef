//! Held first, looked at, then opened.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open as open_path, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use crate::error::{Error, Kind};
use crate::filesystem::is_stored;

/// Who named a path, which decides what it may lead to. Whoever it was, only a regular
/// file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum By {
    /// Whoever runs this program: any regular file, files of `/proc` included.
    Caller,
    /// A folder that the caller named has it, as a name or as a link: any but those of
    /// the kernel (`/proc`, `/sys`, …).
    Folder,
    /// Another file, which may be hostile: as [`Folder`](Self::Folder), and no link of
    /// `/proc` (`exe`, `root`, `fd/N`) is followed on the way.
    File,
}

/// Stands for a file without opening it: nothing happens to a device or a FIFO.
const HOLD: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// Opens a file to be read, waits for nobody, and takes no terminal.
const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// Opens the regular file under a path of this host.
///
/// # Errors
/// Every variant of [`Error`]. Where `/proc` is not mounted, what the caller names is
/// opened by its path a second time, and must then still be the same file.
pub fn open(path: &Path, by: By) -> Result<File, Error> {
    let place = match by {
        By::Caller | By::Folder => open_path(path, HOLD, Mode::empty())?,
        By::File => without_magic(path)?,
    };
    if by != By::Caller {
        return reopen(place).map(|(file, _)| file);
    }
    let held = is_regular(&place)?;
    match by_descriptor(&place) {
        Err(Error::NoProc) => again(path, &held),
        opened => opened,
    }
}

/// Opens the regular file that a path leads to inside another root directory, which the
/// caller names. No symbolic link and no `..` leads out of it, and no link of `/proc` is
/// followed in it.
///
/// # Errors
/// Every variant of [`Error`]; [`Error::Io`] also where the kernel has no `openat2`
/// (before Linux 5.6).
pub fn open_inside(root: &Path, path: &Path) -> Result<File, Error> {
    let folder = open_path(root, HOLD | OFlag::O_DIRECTORY, Mode::empty())?;
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(HOLD).resolve(inside);
    let place = openat2(folder, path, how)?;
    reopen(place).map(|(file, _)| file)
}

/// Holds what has this name in a directory, a symbolic link itself included, without
/// opening it.
///
/// # Errors
/// [`Error::Io`].
pub fn hold_at(directory: impl AsFd, name: &Path) -> Result<OwnedFd, Error> {
    Ok(openat(
        directory,
        name,
        HOLD | OFlag::O_NOFOLLOW,
        Mode::empty(),
    )?)
}

/// Opens what a descriptor stands for (`O_PATH`), when it is a regular file, and none of
/// the kernel's.
///
/// # Errors
/// Every variant of [`Error`].
pub fn reopen(place: OwnedFd) -> Result<(File, FileStat), Error> {
    let status = is_regular(&place)?;
    is_stored(&place)?;
    Ok((by_descriptor(&place)?, status))
}

fn by_descriptor(place: &OwnedFd) -> Result<File, Error> {
    let link = format!("/proc/self/fd/{}", place.as_raw_fd());
    match open_path(link.as_str(), READ, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        // The descriptor is there: what is missing is /proc.
        Err(Errno::ENOENT | Errno::ENOTDIR) => Err(Error::NoProc),
        Err(errno) => Err(errno.into()),
    }
}

/// Where the kernel cannot be told to follow no link of `/proc`, they are followed: what
/// they lead to is looked at all the same.
fn without_magic(path: &Path) -> Result<OwnedFd, Error> {
    let how = OpenHow::new()
        .flags(HOLD)
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    match openat2(AT_FDCWD, path, how) {
        // Before Linux 5.6, or under a filter that does not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => Ok(open_path(path, HOLD, Mode::empty())?),
        Err(Errno::ELOOP) if path.exists() => Err(Error::Kernels),
        held => Ok(held?),
    }
}

/// Opens what the caller names, where there is no /proc to open it by.
fn again(path: &Path, held: &FileStat) -> Result<File, Error> {
    let file = open_path(path, READ, Mode::empty())?;
    let opened = is_regular(&file)?;
    match (opened.st_dev, opened.st_ino) == (held.st_dev, held.st_ino) {
        true => Ok(File::from(file)),
        false => Err(Error::Replaced),
    }
}

/// Returns the status of a regular file.
fn is_regular(place: impl AsFd) -> Result<FileStat, Error> {
    let status = fstat(place)?;
    let kind = match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => return Ok(status),
        SFlag::S_IFDIR => Kind::Directory,
        SFlag::S_IFIFO => Kind::Fifo,
        SFlag::S_IFSOCK => Kind::Socket,
        SFlag::S_IFCHR | SFlag::S_IFBLK => Kind::Device,
        SFlag::S_IFLNK => Kind::Link,
        _ => Kind::Other,
    };
    Err(Error::NotRegular(kind))
}

/// Returns a path of an open directory, which stays its own whatever becomes of its name.
#[must_use]
pub fn path_of(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}
