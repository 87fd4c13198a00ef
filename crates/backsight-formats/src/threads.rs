//! The processes and threads of formats that name them in each sample.

use backsight_profile::{Process, ProcessIdx, Profile, StrIdx, Thread, ThreadIdx};
use hashbrown::HashMap;

/// The processes and threads found so far.
#[derive(Debug, Default)]
pub(crate) struct NamedThreads {
    processes: HashMap<(u32, Option<StrIdx>), ProcessIdx>,
    threads: HashMap<(ProcessIdx, Option<u32>, Option<StrIdx>), ThreadIdx>,
}

impl NamedThreads {
    /// Returns a thread of a process, and adds both if they are new. The same ID with a different
    /// name is a different process or thread.
    pub(crate) fn thread(
        &mut self,
        process: (u32, Option<StrIdx>),
        thread: (Option<u32>, Option<StrIdx>),
        profile: &mut Profile,
    ) -> Option<ThreadIdx> {
        let process = match self.processes.get(&process) {
            Some(known) => *known,
            None => {
                let new = ProcessIdx::behind(profile.processes.len())?;
                let (pid, name) = process;
                profile.processes.push(Process {
                    pid,
                    name,
                    ..Process::default()
                });
                self.processes.insert(process, new);
                new
            }
        };
        let (tid, name) = thread;
        let key = (process, tid, name);
        if let Some(known) = self.threads.get(&key) {
            return Some(*known);
        }
        let new = ThreadIdx::behind(profile.threads.len())?;
        profile.threads.push(Thread { process, tid, name });
        self.threads.insert(key, new);
        Some(new)
    }
}
