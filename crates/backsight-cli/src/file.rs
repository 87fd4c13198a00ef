//! Files that others name: regular ones only, and nothing else is opened.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use backsight_elf::Headers;
use backsight_files::By;
use backsight_formats::escape::Terminal;
use backsight_symbolize::{Limits, unpacked_file};
use nix::libc::O_NOCTTY;
use object::ReadCache;

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

/// Reads the ELF headers alone, however large the file; of one that is packed as a whole,
/// as kernel modules are, after unpacking it.
pub(crate) fn headers(file: &File) -> Result<Headers, String> {
    let cache = ReadCache::new(file);
    let parsed = match Headers::parse(&cache) {
        Err(error @ backsight_elf::Error::NotElf) => match unpacked(file) {
            Some(bytes) => Headers::parse(bytes.map_err(|error| error.to_string())?.as_slice()),
            None => Err(error),
        },
        parsed => parsed,
    };
    parsed.map_err(|error| error.to_string())
}

/// Returns what the file unpacks to, if it is packed as a whole.
fn unpacked(file: &File) -> Option<Result<Vec<u8>, backsight_symbolize::Error>> {
    let limits = Limits::default();
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>, size| {
        let mut rest = bytes.len();
        bytes.resize(size, 0);
        while let Some(room) = bytes.get_mut(rest..).filter(|room| !room.is_empty()) {
            let at = u64::try_from(rest).ok()?;
            match file.read_at(room, at).ok()? {
                0 => break,
                count => rest = rest.saturating_add(count),
            }
        }
        bytes.truncate(rest);
        Some(())
    };
    // The first bytes say whether the others are wanted.
    read(&mut bytes, 8)?;
    unpacked_file(&bytes, &limits).is_some().then_some(())?;
    let size = file.metadata().ok()?.len();
    if size > limits.file_bytes {
        let limit = limits.file_bytes;
        return Some(Err(backsight_symbolize::Error::TooLarge { limit }));
    }
    read(&mut bytes, usize::try_from(size).ok()?)?;
    unpacked_file(&bytes, &limits)
}

/// A path on a terminal.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Terminal(self.0.as_os_str().as_bytes()).fmt(f)
    }
}
