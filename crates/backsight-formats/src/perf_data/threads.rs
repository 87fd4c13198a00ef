//! Which threads live, to know when their process has ended.
//!
//! perf tells the end of threads. The first thread of a process may end before the
//! others, and the memory lasts as long as any.

use std::collections::{HashMap, HashSet};

use backsight_types::trace::ThreadChange;

/// The threads that are known to live.
#[derive(Debug, Default)]
pub(super) struct LiveThreads {
    living: HashSet<(u32, u32)>,
    of_process: HashMap<u32, u32>,
}

impl LiveThreads {
    /// Takes what became of a thread, and returns whether its process ended with it.
    pub(super) fn take(&mut self, pid: u32, tid: u32, change: &ThreadChange) -> bool {
        if !matches!(change, ThreadChange::Ended) {
            if self.living.insert((pid, tid)) {
                let count = self.of_process.entry(pid).or_default();
                *count = count.saturating_add(1);
            }
            return false;
        }
        if !self.living.remove(&(pid, tid)) {
            // Nothing was told of it, so others may live of which nothing was told.
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
