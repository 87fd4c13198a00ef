//! Counts the living threads of each process, to know when a process ended.
//!
//! perf records the end of threads only. The main thread can end before others, and the memory of
//! the process remains as long as any thread.

use std::collections::{HashMap, HashSet};

use backsight_types::trace::ThreadChange;

/// The threads that are known to be alive.
#[derive(Debug, Default)]
pub(super) struct LiveThreads {
    living: HashSet<(u32, u32)>,
    of_process: HashMap<u32, u32>,
}

impl LiveThreads {
    /// Applies a change of a thread, and returns whether the process ended with it.
    pub(super) fn take(&mut self, pid: u32, tid: u32, change: &ThreadChange) -> bool {
        if !matches!(change, ThreadChange::Ended) {
            if self.living.insert((pid, tid)) {
                let count = self.of_process.entry(pid).or_default();
                *count = count.saturating_add(1);
            }
            return false;
        }
        if !self.living.remove(&(pid, tid)) {
            // The thread was not known, so there may be others that are not known.
            return false;
        }
        let Some(count) = self.of_process.get_mut(&pid) else {
            return false;
        };
        *count = count.saturating_sub(1);
        let is_last = *count == 0;
        if is_last {
            self.of_process.remove(&pid);
        }
        is_last
    }
}

#[cfg(test)]
mod tests {
    use super::{LiveThreads, ThreadChange};

    #[test]
    fn a_process_ends_with_its_last_thread() {
        let mut threads = LiveThreads::default();
        let began = || ThreadChange::Began {
            parent_pid: 1,
            parent_tid: 1,
        };
        assert!(!threads.take(1, 1, &ThreadChange::Named(b"a".to_vec())));
        assert!(!threads.take(1, 2, &began()));
        assert!(!threads.take(1, 1, &ThreadChange::Ended));
        assert!(!threads.take(1, 9, &ThreadChange::Ended));
        assert!(threads.take(1, 2, &ThreadChange::Ended));
        assert!(!threads.take(1, 2, &ThreadChange::Ended));
    }
}
