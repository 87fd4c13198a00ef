//! The threads that wait when sampling begins.
//!
//! No event says that they stopped running: it was before. So a record is written for each, and
//! handed on as [`ThreadChange::Waits`].

use std::collections::HashSet;

use backsight_types::trace::{Event, ThreadChange, ThreadRecord};

use crate::clock::now_ns;
use crate::existing;
use crate::record::{self, About};

/// The threads that were found waiting, and when.
#[derive(Debug, Default)]
pub(crate) struct WaitingThreads {
    /// Those whose record has not been handed on.
    written: HashSet<(u32, u64)>,
    count: usize,
}

impl WaitingThreads {
    /// Appends the records of the threads of these processes. Sampling must have begun, so that
    /// the kernel says when they run again.
    pub(crate) fn write(&mut self, pids: &HashSet<u32>, out: &mut Vec<u8>) {
        for pid in pids.iter().copied() {
            for tid in existing::threads_of(pid) {
                // Before the state is read: a thread that runs in between has a later event.
                let time_ns = now_ns();
                if existing::is_waiting(pid, tid) {
                    record::switched_out(out, About { pid, tid, time_ns });
                    self.written.insert((tid, time_ns));
                    self.count = self.count.saturating_add(1);
                }
            }
        }
    }

    /// Returns an event as what it is, if it was written here.
    pub(crate) fn named<'a>(&mut self, event: Event<'a>) -> Event<'a> {
        let Event::Switched {
            time_ns, pid, tid, ..
        } = event
        else {
            return event;
        };
        match self.written.remove(&(tid, time_ns)) {
            true => Event::Thread(ThreadRecord {
                time_ns,
                pid,
                tid,
                change: ThreadChange::Waits,
            }),
            false => event,
        }
    }

    /// Returns how many there were.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}
