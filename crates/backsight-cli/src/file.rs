//! Files that others name: opened without waiting, regular ones only.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use backsight_elf::Headers;
use backsight_formats::escape::Terminal;
use nix::libc::{O_NOCTTY, O_NONBLOCK};
use object::ReadCache;

/// Opens a regular file. A FIFO without a writer would keep an open waiting for
/// ever, and a device can do anything.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(O_NONBLOCK | O_NOCTTY);
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let message = "not a regular file";
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Reads the ELF headers alone, however large the file.
pub(crate) fn headers(file: &File) -> Result<Headers, String> {
    let cache = ReadCache::new(file);
    Headers::parse(&cache).map_err(|error| error.to_string())
}

/// A path on a terminal.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Terminal(self.0.as_os_str().as_bytes()).fmt(f)
    }
}
