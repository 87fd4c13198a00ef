//! A server that fails again and again is asked no more.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::fault::FetchFault;

/// How often a server failed in a row.
#[derive(Debug, Default)]
pub(crate) struct ServerHealth(AtomicU32);

impl ServerHealth {
    /// Says why a server that failed so often is not asked.
    pub(crate) fn check(&self, limit: u32) -> Result<(), FetchFault> {
        let failures = self.0.load(Ordering::Relaxed);
        match failures >= limit.max(1) {
            true => Err(FetchFault::GivenUp(failures)),
            false => Ok(()),
        }
    }

    /// Notes what came of a request.
    pub(crate) fn note<T>(&self, outcome: &Result<T, FetchFault>) {
        match outcome {
            Err(fault) if fault.is_of_server() => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.0.store(0, Ordering::Relaxed),
        }
    }
}
