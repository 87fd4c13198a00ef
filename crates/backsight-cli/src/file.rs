//! Opens files named by the user or by other files: only regular files.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use backsight_files::{ArchiveMember, By};
use backsight_formats::escape::Terminal;
use nix::libc::O_NOCTTY;

use crate::failure::Failure;

/// Opens a regular file named by the user. The error does not name it, because each caller does.
/// Opening a FIFO without a writer would block forever,
/// and opening a device may have side effects.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let open = |path: &Path| backsight_files::open(path, By::Caller);
    let opened = ArchiveMember::open_archive_or_file(path, open);
    opened.map_err(|error| error.into_error().into())
}

/// Opens a regular file named by another file or a process: like [`open_regular`], and refuses
/// files of the kernel's file systems.
pub(crate) fn open_named(path: &Path) -> io::Result<File> {
    backsight_files::open(path, By::File).map_err(|error| error.into_error().into())
}

/// Opens a text named by the user, which may be a pipe or a terminal. Waits for the writer of a
/// FIFO, as a shell does. Refuses devices, which may never end.
pub(crate) fn open_text(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOCTTY)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_block_device() || (kind.is_char_device() && !file.is_terminal()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a device: give a file or a pipe",
        ));
    }
    Ok(file)
}

/// Opens the argument of `-i`: a text as by [`open_text`], or standard input for `-`. Returns it
/// with its name for messages.
pub(crate) fn open_input(path: &Path) -> Result<(File, &Path), Failure> {
    let (file, name) = if path == Path::new("-") {
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        (stdin.map(File::from), Path::new("standard input"))
    } else {
        (open_text(path), path)
    };
    let file = file.map_err(|error| Failure::io(Shown(name), &error))?;
    Ok((file, name))
}

/// Whether both are the same file.
pub(crate) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A path, escaped for a terminal.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Terminal(self.0.as_os_str().as_bytes()).fmt(f)
    }
}
