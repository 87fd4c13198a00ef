//! Stops the use of servers that fail repeatedly.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::fault::FetchFault;

/// The number of consecutive failures of a server.
#[derive(Debug, Default)]
pub(crate) struct ServerHealth(AtomicU32);

impl ServerHealth {
    /// Returns an error if the server has failed too often to be used.
    pub(crate) fn check(&self, limit: u32) -> Result<(), FetchFault> {
        let failures = self.0.load(Ordering::Relaxed);
        match failures >= limit.max(1) {
            true => Err(FetchFault::GivenUp(failures)),
            false => Ok(()),
        }
    }

    /// Records the result of a request.
    pub(crate) fn note<T>(&self, outcome: &Result<T, FetchFault>) {
        match outcome {
            Err(fault) if fault.is_of_server() => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.0.store(0, Ordering::Relaxed),
        }
    }
}
