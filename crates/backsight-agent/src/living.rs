//! The processes of the target that have not ended, and those that vanish from the recording.
//!
//! When a process calls `execve` of a program that its user may not observe, the kernel removes the
//! events from it, and records that it ended. It runs on, without samples. A program that is
//! recorded maps its file between the two:
//!
//! ```text
//!   execve ── mappings ── … ── end      recorded
//!   execve ── end                       vanished
//! ```

use std::collections::{HashMap, HashSet};

use backsight_types::trace::{Event, ProcessChange};

/// The processes that are sampled and have not ended.
#[derive(Debug)]
pub(crate) enum LivingProcesses {
    /// There are always some.
    Everyone,
    Of(KnownProcesses),
}

/// What is known of each process.
#[derive(Debug, Default)]
pub(crate) struct KnownProcesses {
    /// For each: whether it has called `execve`, and has mapped nothing since.
    of: HashMap<u32, bool>,
    vanished: u64,
}

impl LivingProcesses {
    pub(crate) fn of(pids: HashSet<u32>) -> Self {
        Self::Of(KnownProcesses {
            of: pids.into_iter().map(|pid| (pid, false)).collect(),
            vanished: 0,
        })
    }

    pub(crate) fn take(&mut self, event: &Event<'_>) {
        let (Self::Of(known), Event::Process(record)) = (self, event) else {
            return;
        };
        match record.change {
            ProcessChange::Fork { .. } => drop(known.of.insert(record.pid, false)),
            ProcessChange::Exec => drop(known.of.insert(record.pid, true)),
            ProcessChange::Mmap(_) => known.maps(record.pid),
            ProcessChange::Exit => known.ends(record.pid),
            _ => {}
        }
    }

    /// Returns how many processes have vanished.
    pub(crate) fn vanished(&self) -> u64 {
        match self {
            Self::Everyone => 0,
            Self::Of(known) => known.vanished,
        }
    }
}

impl KnownProcesses {
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.of.keys().copied()
    }

    fn maps(&mut self, pid: u32) {
        if let Some(is_in_exec) = self.of.get_mut(&pid) {
            *is_in_exec = false;
        }
    }

    fn ends(&mut self, pid: u32) {
        match self.of.get_mut(&pid) {
            // It is still there, and its end will not be recorded.
            Some(is_in_exec @ true) => {
                *is_in_exec = false;
                self.vanished = self.vanished.saturating_add(1);
            }
            _ => drop(self.of.remove(&pid)),
        }
    }
}
