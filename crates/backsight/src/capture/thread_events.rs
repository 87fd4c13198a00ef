//! Consumes what happens to threads: beginnings, names, ends, and switches.

use backsight_profile as profile;
use backsight_types::trace::{SampleRecord, ThreadChange, ThreadRecord};

use super::events::Capture;
use super::spaces::LookupPids;

impl Capture {
    /// Handles a change of a thread.
    pub(super) fn thread(&mut self, record: ThreadRecord) {
        let ThreadRecord {
            time_ns,
            pid,
            tid,
            change,
        } = record;
        let strings = &mut self.profile.strings;
        let switches = &mut self.piece.switches;
        match change {
            ThreadChange::Began {
                parent_pid,
                parent_tid,
            } => {
                // Records about threads that existed before the recording have no time.
                if time_ns > 0 {
                    self.off_cpu.runs(parent_tid, time_ns, switches);
                }
                self.off_cpu.began(tid);
                (self.threads).began(time_ns, (pid, tid), (parent_pid, parent_tid));
            }
            ThreadChange::Named(name) => {
                if time_ns > 0 {
                    self.off_cpu.runs(tid, time_ns, switches);
                }
                let name = strings.intern(&String::from_utf8_lossy(&name));
                self.threads.named((pid, tid), name, &mut self.profile);
            }
            // It may have run, and stopped again, before it was looked at.
            ThreadChange::Waits if self.off_cpu.is_off(tid) => {}
            ThreadChange::Waits => {
                if let Some(event) = self.off_cpu.event() {
                    self.stopped(event, time_ns, pid, tid);
                }
            }
            ThreadChange::Ended => {
                self.off_cpu.ends(tid, time_ns, switches);
                self.last_stacks.forget(tid);
                self.threads.ended((pid, tid));
            }
            _ => self.unknown = self.unknown.saturating_add(1),
        }
    }

    /// Handles that a thread stops running. If no sample says so, one is made: with the thread's
    /// last stack, or with none before its first sample.
    pub(super) fn switched_out(&mut self, time_ns: u64, pid: u32, tid: u32) {
        if let Some(event) = self.last_stacks.event() {
            self.stopped(event, time_ns, pid, tid);
        }
    }

    /// Makes a sample of a thread that does not run, with its last stack, or with none.
    fn stopped(&mut self, event: usize, time_ns: u64, pid: u32, tid: u32) {
        self.order += 1;
        let mut sample = SampleRecord::new(pid, tid);
        (sample.event, sample.time_ns) = (event, Some(time_ns));
        let switch = self.off_cpu.sample(&sample, &mut self.piece.switches);
        let Some(first_type) = self.columns.count(event) else {
            return;
        };
        let thread = self.threads.thread(pid, tid, &mut self.profile);
        let last = self.last_stacks.last(pid, tid);
        let who = LookupPids { pid, old_pid: None };
        self.piece.push(
            self.order,
            last.map_or(who, |last| last.who),
            &sample,
            last.map(|last| &last.chain),
            profile::Sample {
                thread,
                time_ns: sample.time_ns,
                stack: None,
                first_type,
            },
            switch,
        );
    }
}
