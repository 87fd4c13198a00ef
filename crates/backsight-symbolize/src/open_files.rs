//! Counts the files that modules hold open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many files may be open, and how many are.
#[derive(Clone, Debug)]
pub(crate) struct OpenFiles {
    most: usize,
    now: Arc<AtomicUsize>,
}

/// The right to hold one file open, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenFilePermit(Arc<AtomicUsize>);

impl OpenFiles {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            now: Arc::default(),
        }
    }

    /// Returns the permit for one more file. `None` if as many are open as may be.
    pub(crate) fn permit(&self) -> Option<OpenFilePermit> {
        let one_more = |now: usize| now.checked_add(1).filter(|next| *next <= self.most);
        let counted = self
            .now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        counted.ok().map(|_| OpenFilePermit(Arc::clone(&self.now)))
    }
}

impl Drop for OpenFilePermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::OpenFiles;

    #[test]
    fn a_permit_can_be_used_again() {
        let files = OpenFiles::new(2);
        let first = files.permit();
        let second = files.permit();
        assert!(first.is_some() && second.is_some());
        assert!(files.permit().is_none());
        drop(first);
        assert!(files.permit().is_some());
        assert!(OpenFiles::new(0).permit().is_none());
    }
}
