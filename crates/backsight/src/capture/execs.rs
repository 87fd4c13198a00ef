//! Processes inside `execve`.
//!
//! The kernel reports an `execve` when the old address space is gone. It then works on for a
//! while, and all that time the user registers still hold the old program's values, at its call
//! of `execve`. So the user part of a sample taken in the kernel is looked up in the old program
//! first, until there is a sign that the new one runs. These are the signs: a sample in user
//! mode; a user address other than the one that called `execve`; a third mapped file, since
//! `execve` itself maps only the program and its loader.
//!
//! The old program is kept as a process of its own: it is forked from the real one just before
//! the `execve` record, and exits at the first sign of the new program.
//!
//! Source: `begin_new_exec` in `fs/exec.c`, which calls `perf_event_exec` and renames the
//! process; and each architecture's `start_thread`, which sets the user registers at the end.

use std::collections::HashMap;

use backsight_normalize::{ProcessChange, ProcessRecord};
use backsight_types::AbsAddr;
use backsight_types::trace::{ChainEntry, Context, SampleRecord};

use super::spaces::LookupPids;

/// Set in the PID of an old program. PIDs of Linux stay below 2^22.
const OLD_PROGRAM_BIT: u32 = 1 << 31;

/// The processes that called `execve` and have not yet been seen in the new program.
#[derive(Debug, Default)]
pub(super) struct Execs(HashMap<u32, Exec>);

/// One such process.
#[derive(Debug, Default)]
struct Exec {
    /// The address at which it called `execve`; set by the first sample that has it.
    pc: Option<AbsAddr>,
    /// The files it has mapped since.
    files: Vec<Vec<u8>>,
}

impl Execs {
    /// A process called `execve`. Returns the record to replay first.
    pub(super) fn began(&mut self, pid: u32, time_ns: u64) -> Option<ProcessRecord> {
        let old_pid = old_program(pid)?;
        self.0.insert(pid, Exec::default());
        Some(ProcessRecord {
            time_ns,
            pid: old_pid,
            change: ProcessChange::Fork { parent: pid },
        })
    }

    /// The process exited, or was seen in the new program. Returns the record to replay.
    pub(super) fn ended(&mut self, pid: u32, time_ns: u64) -> Option<ProcessRecord> {
        if self.0.is_empty() {
            return None;
        }
        self.0.remove(&pid)?;
        Some(ProcessRecord {
            time_ns,
            pid: old_program(pid)?,
            change: ProcessChange::Exit,
        })
    }

    /// Takes a sample. Returns the processes in which it is looked up, and the record to replay.
    pub(super) fn seen(
        &mut self,
        sample: &SampleRecord<'_>,
        time_ns: u64,
    ) -> (LookupPids, Option<ProcessRecord>) {
        let pid = sample.pid;
        let only_current = LookupPids { pid, old_pid: None };
        if self.0.is_empty() {
            return (only_current, None);
        }
        let Some(exec) = self.0.get_mut(&pid) else {
            return (only_current, None);
        };
        if sample.context == Context::User || exec.has_other_user_pc(sample) {
            return (only_current, self.ended(pid, time_ns));
        }
        let old_pid = old_program(pid);
        (LookupPids { pid, old_pid }, None)
    }

    /// A process mapped a file. Returns the record to replay.
    pub(super) fn mapped(&mut self, pid: u32, name: &[u8], time_ns: u64) -> Option<ProcessRecord> {
        /// `execve` maps the program and its loader.
        const FILES_MAPPED_BY_EXEC: usize = 2;
        if self.0.is_empty() || !name.starts_with(b"/") || name.starts_with(b"//") {
            return None;
        }
        let exec = self.0.get_mut(&pid)?;
        if exec.files.iter().all(|known| known != name) {
            exec.files.push(name.to_vec());
        }
        let is_running = exec.files.len() > FILES_MAPPED_BY_EXEC;
        is_running.then(|| self.ended(pid, time_ns)).flatten()
    }
}

impl Exec {
    /// Returns whether the user part of a sample starts at another address than in earlier
    /// samples.
    fn has_other_user_pc(&mut self, sample: &SampleRecord<'_>) -> bool {
        let of_user = |entry: &ChainEntry| entry.context == Context::User;
        let Some(entry) = sample.chain().find(of_user) else {
            return false;
        };
        *self.pc.get_or_insert(entry.addr) != entry.addr
    }
}

fn old_program(pid: u32) -> Option<u32> {
    (pid & OLD_PROGRAM_BIT == 0).then_some(pid | OLD_PROGRAM_BIT)
}
