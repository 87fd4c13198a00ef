//! An open maps file, and what is needed to read it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::thread::{self, ProcessPlace, StandIn};

/// An open maps file, the directory of its process, and which reading of its text
/// was the last.
#[derive(Debug)]
pub(crate) struct MapsFile {
    file: File,
    directory: Option<OwnedFd>,
    process: Option<ProcessPlace>,
    /// The maps of another thread, when the first had ended before the open.
    stand_in: OnceLock<StandIn>,
    last: Mutex<u64>,
}

/// The right to read a text, held until an answer is found.
#[derive(Debug)]
pub(crate) struct ReadGuard<'m> {
    pub(crate) maps: &'m MapsFile,
    /// Which reading was the last.
    pub(crate) last: MutexGuard<'m, u64>,
}

impl MapsFile {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            directory: None,
            process: None,
            stand_in: OnceLock::new(),
            last: Mutex::default(),
        }
    }

    /// Keeps the directory, and knows where other threads of the process are.
    pub(crate) fn of(
        file: File,
        directory: Option<OwnedFd>,
        process: Option<ProcessPlace>,
    ) -> Self {
        Self {
            directory,
            process,
            ..Self::new(file)
        }
    }

    /// Returns the file for the ioctl, which has no position to lose.
    #[inline]
    pub(crate) fn file(&self) -> &File {
        match self.stand_in.get() {
            None => &self.file,
            Some(stand_in) => &stand_in.maps,
        }
    }

    /// Returns its path, for messages; `None` if it was handed in.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.process.as_ref().map(ProcessPlace::maps_path)
    }

    /// Returns the directory that was kept, or that of the thread that stands in.
    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        let kept = self.directory.as_ref()?;
        let stand_in = self.stand_in.get().map(|it| &it.directory);
        Some(stand_in.unwrap_or(kept).as_fd())
    }

    /// Returns a file to be asked instead of `gone`, which says that the process has
    /// no memory: so it does when its first thread had ended before the open.
    #[cold]
    pub(crate) fn instead_of(&self, gone: &File) -> Option<&File> {
        if self.stand_in.get().is_none() {
            let directory = self.directory.as_ref().map(AsFd::as_fd);
            let found = thread::stand_in(self.process.as_ref()?, directory)?;
            // Another caller may have been first: then that one stays.
            let _ = self.stand_in.set(found);
        }
        Some(self.file()).filter(|file| !ptr::eq(*file, gone))
    }

    /// Waits until nobody reads the text.
    pub(crate) fn lock_reading(&self) -> ReadGuard<'_> {
        ReadGuard {
            maps: self,
            last: self.last.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
