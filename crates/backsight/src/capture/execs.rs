//! Processes within `execve`.
//!
//! The kernel tells that a process runs another program when the old memory is gone. It
//! then goes on working for a while, and all that time the user's registers are those of
//! the old program, where it called `execve`. So until there is a sign of the new one, the
//! user's part of a sample that was caught in the kernel is looked up in the old program
//! first. Signs are: a sample in user mode; another place in user code than the one that
//! called `execve`; a third file that is mapped, since `execve` itself maps the program and
//! its loader.
//!
//! The old program is kept as a process of its own, which is forked from the real one at
//! the last moment and ends with the first sign of the new one.
//!
//! Source: `begin_new_exec` in `fs/exec.c`, which calls `perf_event_exec` and names the
//! process, and `start_thread` of each machine, which sets the registers at the end.

use std::collections::HashMap;

use backsight_normalize::{ProcessChange, ProcessRecord};
use backsight_types::AbsAddr;
use backsight_types::trace::{ChainEntry, Context, SampleRecord};

use super::spaces::Who;

/// Process IDs of Linux end far below, at 2^22.
const BEFORE: u32 = 1 << 31;

/// The processes that run a new program, and have not been seen in it yet.
#[derive(Debug, Default)]
pub(super) struct Execs(HashMap<u32, Exec>);

/// One of them.
#[derive(Debug, Default)]
struct Exec {
    /// Where it called `execve`, once a sample tells.
    pc: Option<AbsAddr>,
    /// The files that it has mapped since.
    files: Vec<Vec<u8>>,
}

impl Execs {
    /// A process runs another program. Returns what is to be recorded before.
    pub(super) fn began(&mut self, pid: u32, time_ns: u64) -> Option<ProcessRecord> {
        let before = before(pid)?;
        self.0.insert(pid, Exec::default());
        Some(ProcessRecord {
            time_ns,
            pid: before,
            change: ProcessChange::Fork { parent: pid },
        })
    }

    /// A process ended, or was seen. Returns what is to be recorded.
    pub(super) fn ended(&mut self, pid: u32, time_ns: u64) -> Option<ProcessRecord> {
        if self.0.is_empty() {
            return None;
        }
        self.0.remove(&pid)?;
        Some(ProcessRecord {
            time_ns,
            pid: before(pid)?,
            change: ProcessChange::Exit,
        })
    }

    /// Takes a sample, and returns whose memory it is of, and what is to be recorded.
    pub(super) fn seen(
        &mut self,
        sample: &SampleRecord<'_>,
        time_ns: u64,
    ) -> (Who, Option<ProcessRecord>) {
        let pid = sample.pid;
        let nobody = Who { pid, before: None };
        if self.0.is_empty() {
            return (nobody, None);
        }
        let Some(exec) = self.0.get_mut(&pid) else {
            return (nobody, None);
        };
        if sample.context == Context::User || exec.stands_elsewhere(sample) {
            return (nobody, self.ended(pid, time_ns));
        }
        let before = before(pid);
        (Who { pid, before }, None)
    }

    /// A process mapped a file. Returns what is to be recorded.
    pub(super) fn mapped(&mut self, pid: u32, name: &[u8], time_ns: u64) -> Option<ProcessRecord> {
        /// The program and its loader.
        const BY_EXEC: usize = 2;
        if self.0.is_empty() || !name.starts_with(b"/") || name.starts_with(b"//") {
            return None;
        }
        let exec = self.0.get_mut(&pid)?;
        if exec.files.iter().all(|known| known != name) {
            exec.files.push(name.to_vec());
        }
        let is_running = exec.files.len() > BY_EXEC;
        is_running.then(|| self.ended(pid, time_ns)).flatten()
    }
}

impl Exec {
    /// Returns whether a sample tells of another place in user code than those before.
    fn stands_elsewhere(&mut self, sample: &SampleRecord<'_>) -> bool {
        let of_user = |entry: &ChainEntry| entry.context == Context::User;
        let Some(entry) = sample.chain().find(of_user) else {
            return false;
        };
        *self.pc.get_or_insert(entry.addr) != entry.addr
    }
}

fn before(pid: u32) -> Option<u32> {
    (pid & BEFORE == 0).then_some(pid | BEFORE)
}
