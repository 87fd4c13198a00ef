//! Whether something of a file's DWARF turned out to be unreadable.

use std::sync::atomic::{AtomicBool, Ordering};

use super::fault::Fault;

/// Whether anything that was read so far contradicted itself, or led nowhere.
///
/// A name, line or range that cannot be read affects no other, so most faults are handled
/// where they occur: the answer lacks that part, and it is recorded here that it does.
#[derive(Debug, Default)]
pub(in crate::dwarf) struct Damage(AtomicBool);

impl Damage {
    /// Notes that something cannot be read.
    #[cold]
    pub(in crate::dwarf) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
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
        self.0.load(Ordering::Relaxed)
    }
}
