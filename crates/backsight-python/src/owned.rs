//! What an object of Python owns until it is closed: of one process, for one thread at a time.

use std::sync::Mutex;

use crate::failure::{Failure, FailureKind, Result};

/// What an object owns. It is refused after it was closed, and in a forked child: threads that it
/// needs are not there, and locks may be held for ever.
pub(crate) struct Owned<T> {
    /// What it is, in messages: "a session".
    name: &'static str,
    /// The process that made it.
    pid: u32,
    held: Mutex<Option<T>>,
}

impl<T> Owned<T> {
    pub(crate) fn new(name: &'static str, held: T) -> Self {
        Self {
            name,
            pid: std::process::id(),
            held: Mutex::new(Some(held)),
        }
    }

    /// Uses it, when no other thread does. It waits without Python's lock alone: see
    /// [`work`](crate::failure::work).
    pub(crate) fn with<R>(&self, run: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        self.check_fork()?;
        let mut held = self.held.lock().map_err(|_| self.broken())?;
        match held.as_mut() {
            Some(held) => run(held),
            None => Err(Failure::new(
                FailureKind::Closed,
                format!("{} was closed", self.name),
            )),
        }
    }

    /// Gives up what it owns. What is closed may be closed again.
    pub(crate) fn close(&self) -> Result {
        self.check_fork()?;
        let held = match self.held.lock() {
            Ok(mut held) => held.take(),
            Err(broken) => broken.into_inner().take(),
        };
        drop(held);
        Ok(())
    }

    fn check_fork(&self) -> Result {
        if self.pid == std::process::id() {
            return Ok(());
        }
        let message = format!(
            "{} was made before this process was forked: make one here",
            self.name
        );
        Err(Failure::new(FailureKind::Forked, message))
    }

    fn broken(&self) -> Failure {
        let message = format!(
            "{}: an earlier call failed by a bug in the middle of a change: close it",
            self.name
        );
        Failure::new(FailureKind::Panic, message)
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            // Its end may wait for a lock that nobody will give back.
            let held = self.held.get_mut().map_or(None, Option::take);
            std::mem::forget(held);
        }
    }
}
