//! Processes and threads, as far as samples are of them.
//!
//! A recording of a whole machine names thousands of processes, few of which were ever
//! caught running. A row of the profile is made for the first sample of a thread, and
//! anew when it is called something else: a sample belongs to the name of its time.

use std::collections::{HashSet, VecDeque};

use backsight_normalize::Mmap;
use backsight_profile::{Process, ProcessIdx, Profile, StrIdx, Thread, ThreadIdx};
use hashbrown::HashMap;

/// What a process with samples mapped.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) process: ProcessIdx,
    pub(super) time_ns: u64,
    pub(super) mapping: Mmap,
}

/// Who is known by now.
#[derive(Debug, Default)]
pub(super) struct People {
    processes: HashMap<u32, Known<ProcessIdx>>,
    threads: HashMap<(u32, u32), Known<ThreadIdx>>,
    /// What processes mapped of which there is no sample yet.
    waiting: HashMap<u32, Vec<(u64, Mmap)>>,
    /// What those with samples mapped, since it was taken last.
    mapped: Vec<Mapped>,
    /// The last threads that ended: see [`People::ended`].
    ended: VecDeque<(u32, u32)>,
    ended_now: HashSet<(u32, u32)>,
    /// Who was asked for last: samples come in runs.
    last: Option<((u32, u32), Option<ThreadIdx>)>,
}

/// A process or a thread.
#[derive(Clone, Copy, Debug)]
struct Known<T> {
    name: Option<StrIdx>,
    start_ns: Option<u64>,
    end_ns: Option<u64>,
    /// Its row, as long as that says what it is.
    row: Option<T>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            name: None,
            start_ns: None,
            end_ns: None,
            row: None,
        }
    }
}

/// What perf and the kernel give no name.
fn name_of(pid: u32) -> Option<&'static str> {
    match pid {
        // The idle task of each processor, of which no record tells.
        0 => Some("swapper"),
        // The kernel says -1 of a task whose IDs are taken back already.
        u32::MAX => Some("[exited]"),
        _ => None,
    }
}

impl People {
    /// Returns the row of a thread that was caught.
    pub(super) fn thread(
        &mut self,
        pid: u32,
        tid: u32,
        profile: &mut Profile,
    ) -> Option<ThreadIdx> {
        if let Some((who, row)) = self.last
            && who == (pid, tid)
        {
            return row;
        }
        let known = self.threads.get(&(pid, tid)).copied().unwrap_or_default();
        let row = known
            .row
            .or_else(|| self.new_thread(pid, tid, known, profile));
        self.last = Some(((pid, tid), row));
        row
    }

    fn new_thread(
        &mut self,
        pid: u32,
        tid: u32,
        known: Known<ThreadIdx>,
        profile: &mut Profile,
    ) -> Option<ThreadIdx> {
        let process = self.process(pid, profile)?;
        let made_up = || name_of(pid).map(|name| profile.strings.intern(name));
        let name = known.name.or_else(made_up);
        let row = ThreadIdx::behind(profile.threads.len())?;
        profile.threads.push(Thread {
            process,
            tid: Some(tid),
            name,
        });
        let row = Some(row);
        self.threads.insert((pid, tid), Known { row, ..known });
        row
    }

    fn process(&mut self, pid: u32, profile: &mut Profile) -> Option<ProcessIdx> {
        let known = self.processes.get(&pid).copied().unwrap_or_default();
        if known.row.is_some() {
            return known.row;
        }
        let row = ProcessIdx::behind(profile.processes.len())?;
        let made_up = || name_of(pid).map(|name| profile.strings.intern(name));
        profile.processes.push(Process {
            pid,
            name: known.name.or_else(made_up),
            start_ns: known.start_ns,
            end_ns: known.end_ns,
        });
        for (time_ns, mapping) in self.waiting.remove(&pid).unwrap_or_default() {
            self.mapped.push(Mapped {
                process: row,
                time_ns,
                mapping,
            });
        }
        let row = Some(row);
        self.processes.insert(pid, Known { row, ..known });
        row
    }

    /// A thread began, and with it a process if its parent is of another one.
    pub(super) fn began(&mut self, time_ns: u64, who: (u32, u32), parent: (u32, u32)) {
        self.last = None;
        self.ended_now.remove(&who);
        let start_ns = Some(time_ns).filter(|time| *time > 0);
        let name = self.threads.get(&parent).and_then(|parent| parent.name);
        let row = None;
        self.threads.insert(
            who,
            Known {
                name,
                start_ns,
                row,
                ..Known::default()
            },
        );
        if who.0 != parent.0 {
            self.waiting.remove(&who.0);
            let row = None;
            self.processes.insert(
                who.0,
                Known {
                    name,
                    start_ns,
                    row,
                    ..Known::default()
                },
            );
        }
    }

    /// A thread has this name now. That of the first is the process's.
    pub(super) fn named(&mut self, who: (u32, u32), name: StrIdx) {
        let name = Some(name);
        let thread = self.threads.entry(who).or_default();
        if thread.name != name {
            (thread.name, thread.row) = (name, None);
            self.last = None;
        }
        if who.0 == who.1 {
            self.processes.entry(who.0).or_default().name = name;
        }
    }

    /// A thread ended. It may be caught once more, on its way out: one that was not
    /// caught is forgotten when many others have ended.
    pub(super) fn ended(&mut self, who: (u32, u32)) {
        const MAX: usize = 1024;
        if self.ended_now.insert(who) {
            self.ended.push_back(who);
        }
        if self.ended.len() <= MAX {
            return;
        }
        let Some(who) = self.ended.pop_front() else {
            return;
        };
        let thread = self.threads.get(&who);
        let is_caught = thread.is_none_or(|thread| thread.row.is_some());
        // Unless its ID is another's by now.
        if self.ended_now.remove(&who) && !is_caught {
            self.threads.remove(&who);
            self.last = None;
        }
    }

    /// A process runs another program, in its first thread alone.
    pub(super) fn exec(&mut self, pid: u32) {
        self.last = None;
        self.waiting.remove(&pid);
        if let Some(process) = self.processes.get_mut(&pid) {
            process.row = None;
        }
        if let Some(thread) = self.threads.get_mut(&(pid, pid)) {
            thread.row = None;
        }
    }

    /// A process ended, and may be caught once more.
    pub(super) fn exit(&mut self, pid: u32, time_ns: u64, profile: &mut Profile) {
        let Some(known) = self.processes.get_mut(&pid) else {
            return;
        };
        known.end_ns = Some(time_ns);
        let row = known.row;
        let row = row.and_then(|row| profile.processes.get_mut(row.as_usize()));
        if let Some(process) = row {
            process.end_ns = Some(time_ns);
        }
    }

    /// A process ended so long ago that nothing more comes of it.
    pub(super) fn gone(&mut self, pid: u32) {
        self.waiting.remove(&pid);
        let known = self.processes.get(&pid);
        if known.is_some_and(|known| known.row.is_none()) {
            self.processes.remove(&pid);
        }
    }

    /// A process mapped code.
    pub(super) fn mapped(&mut self, pid: u32, time_ns: u64, mapping: &Mmap) {
        if !mapping.perms.is_executable() {
            return;
        }
        let mapping = mapping.clone();
        match self.processes.get(&pid).and_then(|process| process.row) {
            Some(process) => self.mapped.push(Mapped {
                process,
                time_ns,
                mapping,
            }),
            None => {
                let waiting = self.waiting.entry(pid).or_default();
                waiting.push((time_ns, mapping));
            }
        }
    }

    /// Takes what processes with samples have mapped since the last time.
    pub(super) fn take_mapped(&mut self) -> Vec<Mapped> {
        std::mem::take(&mut self.mapped)
    }
}
