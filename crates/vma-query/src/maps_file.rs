//! An open maps file, and the lock for reading its text.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::thread::{self, OtherThread, ProcessPlace};

/// An open maps file, the directory of its process, and the last reader of its text.
#[derive(Debug)]
pub(crate) struct MapsFile {
    file: File,
    directory: Option<OwnedFd>,
    process: Option<ProcessPlace>,
    /// The maps of another thread, if the first thread had ended before the open.
    other_thread: OnceLock<OtherThread>,
    last: Mutex<u64>,
}

/// The lock on a text, held until an answer is found.
#[derive(Debug)]
pub(crate) struct ReadGuard<'m> {
    pub(crate) maps: &'m MapsFile,
    /// The ID of the last reader.
    pub(crate) last: MutexGuard<'m, u64>,
}

impl MapsFile {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            directory: None,
            process: None,
            other_thread: OnceLock::new(),
            last: Mutex::default(),
        }
    }

    /// Returns a file with its directory and with the place where the process's other
    /// threads are found.
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

    /// Returns the file to query or read.
    #[inline]
    pub(crate) fn file(&self) -> &File {
        match self.other_thread.get() {
            None => &self.file,
            Some(other_thread) => &other_thread.maps,
        }
    }

    /// Returns its path, for messages, or `None` if the caller passed the descriptor.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.process.as_ref().map(ProcessPlace::maps_path)
    }

    /// Returns the directory that was kept, or that of the substitute thread.
    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        let kept = self.directory.as_ref()?;
        let other_thread = self.other_thread.get().map(|it| &it.directory);
        Some(other_thread.unwrap_or(kept).as_fd())
    }

    /// Returns the maps file of another thread to use instead of `gone`, which reports
    /// that the process has no memory. This happens if the first thread had ended before
    /// the open.
    #[cold]
    pub(crate) fn replacement_for(&self, gone: &File) -> Option<&File> {
        if self.other_thread.get().is_none() {
            let directory = self.directory.as_ref().map(AsFd::as_fd);
            let found = thread::find_other(self.process.as_ref()?, directory)?;
            // Another caller may have set one meanwhile; then that one is kept.
            let _ = self.other_thread.set(found);
        }
        Some(self.file()).filter(|file| !ptr::eq(*file, gone))
    }

    /// Waits for other readers, and locks the text.
    pub(crate) fn lock_reading(&self) -> ReadGuard<'_> {
        ReadGuard {
            maps: self,
            last: self.last.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
