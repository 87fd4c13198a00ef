//! Whether something of a file's DWARF turned out to be unreadable.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fault::Fault;
use crate::locate::SearchBase;
use crate::shortfall::ShortfallKind;

/// Whether anything that was read so far contradicted itself, or led nowhere.
///
/// A name, line or range that cannot be read affects no other, so most faults are handled
/// where they occur: the answer lacks that part, and it is recorded here that it does.
#[derive(Debug, Default)]
pub(in crate::dwarf) struct Damage {
    is_noted: AtomicBool,
    /// A file that goes with the main one, and whom to tell that it is damaged.
    file: Option<(SearchBase, PathBuf)>,
}

impl Damage {
    /// Of a file that goes with the main one around there: it is told at once, under its
    /// own path.
    pub(in crate::dwarf) fn of_file(base: SearchBase, path: PathBuf) -> Self {
        Self {
            is_noted: AtomicBool::new(false),
            file: Some((base, path)),
        }
    }

    /// Notes that something cannot be read.
    #[cold]
    pub(in crate::dwarf) fn note(&self) {
        let is_new = !self.is_noted.swap(true, Ordering::Relaxed);
        if let Some((base, path)) = self.file.as_ref().filter(|_| is_new) {
            base.note_shortfall_of(path.clone(), ShortfallKind::Damaged);
        }
    }

    /// Notes it when a walk ended because of that; returns what else ended it.
    pub(in crate::dwarf) fn take(&self, fault: Fault) -> Option<Fault> {
        if fault == Fault::Malformed {
            self.note();
        }
        Some(fault).filter(|fault| *fault != Fault::Malformed)
    }

    /// Returns what was read, and notes it when that is malformed.
    #[inline]
    pub(in crate::dwarf) fn sound<T>(&self, read: Result<T, Fault>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(Fault::Limit) => None,
            Err(Fault::Malformed) => {
                self.note();
                None
            }
        }
    }

    /// Returns what was found, and notes it when nothing was.
    #[inline]
    pub(in crate::dwarf) fn found<T>(&self, found: Option<T>) -> Option<T> {
        if found.is_none() {
            self.note();
        }
        found
    }

    /// Returns whether anything was noted.
    pub(in crate::dwarf) fn is_noted(&self) -> bool {
        self.is_noted.load(Ordering::Relaxed)
    }
}
