//! The thread that stands for its process.

use backsight_profile::{Profile, ThreadIdx};

/// The first thread of each process.
pub(crate) struct FirstThreads(Vec<Option<ThreadIdx>>);

impl FirstThreads {
    pub(crate) fn of_processes(profile: &Profile) -> Self {
        let mut firsts = vec![None; profile.processes.len()];
        for (thread, at) in profile.threads.iter().zip(0_u32..) {
            if let Some(first) = firsts.get_mut(thread.process.as_usize()) {
                first.get_or_insert(ThreadIdx(at));
            }
        }
        Self(firsts)
    }

    /// Returns the first thread of the thread's process.
    pub(crate) fn of(&self, profile: &Profile, thread: ThreadIdx) -> ThreadIdx {
        let process = profile.thread(thread).map(|thread| thread.process);
        let first = process.and_then(|process| self.0.get(process.as_usize()).copied().flatten());
        first.unwrap_or(thread)
    }
}
