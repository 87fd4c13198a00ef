//! What a parser of the text is given, and what it hands over.

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

/// Which lines are wanted; a parser may leave out the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// Those that end above an address.
    EndingAbove(u64),
    /// Those of executable memory with a file.
    Code,
}

/// What is done with a line; says which lines are wanted from there on, or `None`
/// when no more are.
pub(crate) trait Sink {
    fn take(&mut self, line: Line<'_>) -> Option<Wanted>;
}

/// Reads lines one by one from an open text.
pub(crate) trait Parser {
    const NAME: &'static str;

    /// Opens the text, hands over lines from the first on, and closes.
    fn read(&mut self, wanted: Wanted, sink: &mut impl Sink);
}

/// Returns the path of a process's maps, and room for a piece of it: the kernel
/// gives 4 KiB at most.
pub(super) fn opened(process: Process) -> (std::ffi::CString, Vec<u8>) {
    (process.maps(), vec![0; 2 * 4096])
}
