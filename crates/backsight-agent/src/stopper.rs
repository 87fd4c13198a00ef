//! Stops sampling from another thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::clock::now_ns;
use crate::record_stream::RecordSource;

/// Stops sampling from another thread, at a time that does not depend on how long it takes to
/// work off what was sampled before: see [`Sampler::stopper`](crate::Sampler::stopper).
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Mutex<RecordSource>>);

impl Stopper {
    pub(crate) fn new(source: Arc<Mutex<RecordSource>>) -> Self {
        Self(source)
    }

    /// Stops sampling. What was sampled so far is there for
    /// [`Agent::stop`](crate::Agent::stop) and [`Agent::finish`](crate::Agent::finish).
    pub fn stop(&self) {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        source.rings.disable();
        source.stopped.get_or_insert_with(Instant::now);
        source.stopped_ns.get_or_insert_with(now_ns);
    }
}
