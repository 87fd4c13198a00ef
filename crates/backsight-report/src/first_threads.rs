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

    /// Gives these threads the names and numbers of their processes: each stands for all threads
    /// of its process, and not for the one that happened to be sampled first.
    pub(crate) fn name_as_processes(&self, profile: &mut Profile) {
        for (process, first) in profile.processes.iter().zip(&self.0) {
            let Some(thread) = first.and_then(|at| profile.threads.get_mut(at.as_usize())) else {
                continue;
            };
            thread.tid = Some(process.pid);
            thread.name = process.name.or(thread.name);
        }
    }

    /// Returns the first thread of the thread's process.
    pub(crate) fn of(&self, profile: &Profile, thread: ThreadIdx) -> ThreadIdx {
        let process = profile.thread(thread).map(|thread| thread.process);
        let first = process.and_then(|process| self.0.get(process.as_usize()).copied().flatten());
        first.unwrap_or(thread)
    }
}
