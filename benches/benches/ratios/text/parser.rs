//! The interface of parsers.

use crate::process::Process;

/// A line of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'t> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) executable: bool,
    pub(crate) offset: u64,
    pub(crate) inode: u64,
    pub(crate) name: &'t [u8],
}

/// Which lines are wanted; a parser may omit the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// Lines that end above an address.
    EndingAbove(u64),
    /// Lines of executable memory with a file.
    Code,
}

/// Consumes a line; returns which lines are wanted next, or `None` if no more are.
pub(crate) trait Sink {
    fn take(&mut self, line: Line<'_>) -> Option<Wanted>;
}

/// Reads the lines of an open text.
pub(crate) trait Parser {
    const NAME: &'static str;

    /// Opens the text, passes lines to `sink` from the first on, and closes it.
    fn read(&mut self, wanted: Wanted, sink: &mut impl Sink);
}

/// Returns the path of a process's maps file, and a buffer for reading: the kernel returns at
/// most 4 KiB.
pub(super) fn opened(process: Process) -> (std::ffi::CString, Vec<u8>) {
    (process.maps(), vec![0; 2 * 4096])
}
