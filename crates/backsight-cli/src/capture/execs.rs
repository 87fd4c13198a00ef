//! Processes within `execve`.
//!
//! The kernel tells that a process runs another program when the old memory is gone. It
//! then goes on working for a while, and all that time the user's registers are those of
//! the old program, where it called `execve`. So until the process was seen running code
//! of its own, the user's part of a sample that was caught in the kernel is looked up in
//! the old program first.
//!
//! The old program is kept as a process of its own, which is forked from the real one at
//! the last moment and ends with the first sample in user mode.
//!
//! Source: `begin_new_exec` in `fs/exec.c`, which calls `perf_event_exec` and names the
//! process, and `start_thread` of each machine, which sets the registers at the end.

use std::collections::HashSet;

use backsight_formats::perf_data::{Context, Sample};
use backsight_normalize::{Change, Record};

use super::Capture;
use super::spaces::Who;

/// Process IDs of Linux end far below, at 2^22.
const BEFORE: u32 = 1 << 31;

/// The processes that run a new program, and have not been seen in it yet.
#[derive(Debug, Default)]
pub(super) struct Execs(HashSet<u32>);

impl Execs {
    /// A process runs another program. Returns what is to be recorded before.
    pub(super) fn began(&mut self, pid: u32, time_ns: u64) -> Option<Record> {
        let before = before(pid)?;
        self.0.insert(pid);
        Some(Record {
            time_ns,
            pid: before,
            change: Change::Fork { parent: pid },
        })
    }

    /// A process ended, or was seen. Returns what is to be recorded.
    pub(super) fn ended(&mut self, pid: u32, time_ns: u64) -> Option<Record> {
        if self.0.is_empty() || !self.0.remove(&pid) {
            return None;
        }
        Some(Record {
            time_ns,
            pid: before(pid)?,
            change: Change::Exit,
        })
    }

    /// Takes a sample, and returns whose memory it is of, and what is to be recorded.
    pub(super) fn seen(&mut self, sample: &Sample<'_>, time_ns: u64) -> (Who, Option<Record>) {
        let pid = sample.pid;
        let ended = match sample.context {
            Context::User => self.ended(pid, time_ns),
            _ => None,
        };
        let is_within = !self.0.is_empty() && self.0.contains(&pid);
        let before = before(pid).filter(|_| is_within);
        (Who { pid, before }, ended)
    }
}

impl Capture {
    /// Returns whose memory a sample is of.
    pub(super) fn whose(&mut self, sample: &Sample<'_>) -> Who {
        let (who, ended) = self.execs.seen(sample, self.order);
        self.old_program(ended);
        who
    }

    /// A process runs another program, which is recorded next.
    pub(super) fn keep_old_program(&mut self, pid: u32) {
        let kept = self.execs.began(pid, self.order);
        self.old_program(kept);
    }

    /// A process ended.
    pub(super) fn leaves_old_program(&mut self, pid: u32) {
        let ended = self.execs.ended(pid, self.order);
        self.old_program(ended);
    }

    fn old_program(&mut self, record: Option<Record>) {
        if let Some(record) = record {
            match record.change {
                Change::Exit => self.unwinders.forget(record.pid),
                _ => self.unwinders.changed(record.pid),
            }
            self.piece.record(record);
        }
    }
}

fn before(pid: u32) -> Option<u32> {
    (pid & BEFORE == 0).then_some(pid | BEFORE)
}
