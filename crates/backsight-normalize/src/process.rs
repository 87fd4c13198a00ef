//! The live process that modules are read from.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use vma_query::ProcMaps;

use crate::options::Options;

/// Opens a path without opening the file itself.
pub(crate) const OPEN_PATH: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// An open process, and the options for its modules.
pub(crate) struct OpenProcess<'p> {
    pub(crate) maps: &'p ProcMaps,
    pub(crate) options: &'p Options,
    pub(crate) root: &'p Root,
}

/// The root directory of a process, opened on first use.
#[derive(Debug, Default)]
pub(crate) struct Root(OnceLock<Option<OwnedFd>>);

impl OpenProcess<'_> {
    /// Returns the process's root directory, which may differ from that of this process.
    pub(crate) fn root(&self) -> Option<BorrowedFd<'_>> {
        let directory = self.maps.directory()?;
        let open = || {
            openat(
                directory,
                "root",
                OPEN_PATH | OFlag::O_DIRECTORY,
                Mode::empty(),
            )
            .ok()
        };
        self.root.0.get_or_init(open).as_ref().map(AsFd::as_fd)
    }
}
