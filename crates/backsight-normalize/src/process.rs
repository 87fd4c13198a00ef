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

/// The root directory of a process, opened on first use or passed by the caller.
#[derive(Debug, Default)]
pub(crate) struct Root(OnceLock<Option<OwnedFd>>);

impl Root {
    /// Returns a root that is open already.
    pub(crate) fn of(directory: OwnedFd) -> Self {
        Self(OnceLock::from(Some(directory)))
    }
}

impl OpenProcess<'_> {
    /// Returns the process's root directory, which may differ from that of this process.
    pub(crate) fn root(&self) -> Option<BorrowedFd<'_>> {
        let open = || {
            let flags = OPEN_PATH | OFlag::O_DIRECTORY;
            openat(self.maps.directory()?, "root", flags, Mode::empty()).ok()
        };
        self.root.0.get_or_init(open).as_ref().map(AsFd::as_fd)
    }
}
