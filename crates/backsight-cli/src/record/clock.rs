//! Ends sampling when its time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Instant;

use backsight_agent::Stopper;

/// A thread that stops sampling at a time. Dropped, it ends.
pub(super) struct Clock<'scope>(ScopedJoinHandle<'scope, ()>, Arc<AtomicBool>);

impl<'scope> Clock<'scope> {
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        end: Instant,
        stopper: Stopper,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let wait = move || {
            while !seen.load(Ordering::Relaxed) {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return stopper.stop();
                }
                thread::park_timeout(left);
            }
        };
        Self(scope.spawn(wait), is_over)
    }
}

impl Drop for Clock<'_> {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        self.0.thread().unpark();
    }
}
