//! Files that were too large to be read, recorded for diagnostics.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Debug information that was not read because it is too large.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Oversized {
    /// The file it stands in; `None` for bytes that were given without a path.
    pub path: Option<PathBuf>,
    /// Bytes of memory it takes unpacked, together with what was unpacked before of the
    /// files that go with it.
    pub needed: u64,
    /// Bytes that [`Limits`](crate::Limits) allow it. `None` when they allow it, and the
    /// memory could not be allocated.
    pub allowed: Option<u64>,
}

/// Files that are listed for one module. With thousands of `.dwo` files, more would repeat
/// the same.
const MAX_LISTED: usize = 4;

/// What was noted of one module; it outlives what was read of the module.
#[derive(Debug, Default)]
pub(crate) struct OversizedFiles(Mutex<Vec<Oversized>>);

impl OversizedFiles {
    /// Notes a file, once.
    pub(crate) fn note(&self, file: Oversized) {
        let mut noted = self.noted();
        if noted.len() < MAX_LISTED && !noted.contains(&file) {
            noted.push(file);
        }
    }

    pub(crate) fn list(&self) -> Vec<Oversized> {
        self.noted().clone()
    }

    fn noted(&self) -> MutexGuard<'_, Vec<Oversized>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
