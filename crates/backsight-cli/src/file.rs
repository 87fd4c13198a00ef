//! Files that others name: regular ones only, and nothing else is opened.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use backsight_files::By;
use backsight_formats::escape::Terminal;
use nix::libc::O_NOCTTY;

use crate::failure::Failure;

/// Opens a regular file that whoever runs the command names. A FIFO without a writer
/// would keep an open waiting for ever, and a device can do anything.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    Ok(backsight_files::open(path, By::Caller)?)
}

/// Opens a regular file that another file names, or a process: as [`open_regular`], and
/// nothing of the kernel's own.
pub(crate) fn open_named(path: &Path) -> io::Result<File> {
    Ok(backsight_files::open(path, By::File)?)
}

/// Opens a text that someone names, which may come out of a pipe or be typed. Waits
/// for the writer of a FIFO, as a shell does. A device would give bytes without end.
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

/// Opens what `-i` names: a text by [`open_text`], or standard input for `-`. Returns it
/// with what messages call it.
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

/// A path on a terminal.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Terminal(self.0.as_os_str().as_bytes()).fmt(f)
    }
}
