//! The processes and threads of a recording.
//!
//! A recording of a whole machine names thousands of processes, few of which have samples. A
//! thread gets a row in the profile with its first sample, and a new row when it is renamed: a
//! sample belongs to the name that its thread had at the time.

use std::collections::{HashSet, VecDeque};

use backsight_normalize::Mmap;
use backsight_profile::{Process, ProcessIdx, Profile, StrIdx, Thread, ThreadIdx};
use hashbrown::HashMap;

/// A mapping of a process that has samples.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) process: ProcessIdx,
    pub(super) time_ns: u64,
    pub(super) mapping: Mmap,
}

/// The processes and threads seen so far.
#[derive(Debug, Default)]
pub(super) struct ThreadTable {
    processes: HashMap<u32, ThreadEntry<ProcessIdx>>,
    threads: HashMap<(u32, u32), ThreadEntry<ThreadIdx>>,
    /// Mappings of processes that have no sample yet.
    waiting: HashMap<u32, Vec<(u64, Mmap)>>,
    /// Mappings of processes with samples, since [`Self::take_mapped`] was last called.
    mapped: Vec<Mapped>,
    /// The threads that exited last: see [`Self::ended`].
    ended: VecDeque<(u32, u32)>,
    ended_now: HashSet<(u32, u32)>,
    /// The result of the last lookup: consecutive samples are often of one thread.
    last: Option<((u32, u32), Option<ThreadIdx>)>,
}

/// A process or a thread.
#[derive(Clone, Copy, Debug)]
struct ThreadEntry<T> {
    name: Option<StrIdx>,
    start_ns: Option<u64>,
    end_ns: Option<u64>,
    /// Its row in the profile; `None` before the first sample, and after a change of name.
    row: Option<T>,
}

impl<T> ThreadEntry<T> {
    /// Whether it has not ended, and more is known of it than that it was sampled. Of one that
    /// was sampled after its end, no record says that it has ended.
    fn goes_on(&self) -> bool {
        self.end_ns.is_none() && (self.name.is_some() || self.start_ns.is_some())
    }
}

impl<T> Default for ThreadEntry<T> {
    fn default() -> Self {
        Self {
            name: None,
            start_ns: None,
            end_ns: None,
            row: None,
        }
    }
}

/// Stands for the processes of another PID namespace, which all have the number 0 here, as the
/// idle tasks have. No process has this one (`PID_MAX_LIMIT`, 2^22).
pub(super) const HIDDEN: u32 = u32::MAX - 1;

/// Names for PIDs that have no record with a name.
fn name_of(pid: u32) -> Option<&'static str> {
    match pid {
        // The idle task of each processor.
        0 => Some("swapper"),
        HIDDEN => Some("[outside of the PID namespace]"),
        // The kernel reports -1 for a task that has already given up its PID.
        u32::MAX => Some("[exited]"),
        _ => None,
    }
}

impl ThreadTable {
    /// Returns the row of a sampled thread, adding it if needed.
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
        known: ThreadEntry<ThreadIdx>,
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
        self.threads
            .insert((pid, tid), ThreadEntry { row, ..known });
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
            pid: if pid == HIDDEN { 0 } else { pid },
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
        self.processes.insert(pid, ThreadEntry { row, ..known });
        row
    }

    /// A thread was created; and with it a process, if the parent belongs to another one.
    pub(super) fn began(&mut self, time_ns: u64, who: (u32, u32), parent: (u32, u32)) {
        self.last = None;
        self.ended_now.remove(&who);
        let start_ns = Some(time_ns).filter(|time| *time > 0);
        let name = self.threads.get(&parent).and_then(|parent| parent.name);
        let row = None;
        self.threads.insert(
            who,
            ThreadEntry {
                name,
                start_ns,
                row,
                ..ThreadEntry::default()
            },
        );
        if who.0 != parent.0 {
            self.waiting.remove(&who.0);
            let row = None;
            self.processes.insert(
                who.0,
                ThreadEntry {
                    name,
                    start_ns,
                    row,
                    ..ThreadEntry::default()
                },
            );
        }
    }

    /// A thread was renamed. The name of the main thread is the process's name: the last one, so
    /// that it does not depend on which of its threads was sampled first, and when.
    pub(super) fn named(&mut self, who: (u32, u32), name: StrIdx, profile: &mut Profile) {
        let name = Some(name);
        let thread = self.threads.entry(who).or_default();
        if thread.name != name {
            (thread.name, thread.row) = (name, None);
            self.last = None;
        }
        if who.0 == who.1 {
            let process = self.processes.entry(who.0).or_default();
            process.name = name;
            let row = process.row.map(ProcessIdx::as_usize);
            if let Some(row) = row.and_then(|row| profile.processes.get_mut(row)) {
                row.name = name;
            }
        }
    }

    /// A thread exited. It may be sampled once more while it exits. A thread without samples is
    /// dropped once many others have exited.
    pub(super) fn ended(&mut self, who: (u32, u32)) {
        const MAX_EXITED: usize = 1024;
        if let Some(thread) = self.threads.get_mut(&who) {
            // When does not matter.
            thread.end_ns = Some(0);
        }
        if self.ended_now.insert(who) {
            self.ended.push_back(who);
        }
        if self.ended.len() <= MAX_EXITED {
            return;
        }
        let Some(who) = self.ended.pop_front() else {
            return;
        };
        let thread = self.threads.get(&who);
        let is_caught = thread.is_none_or(|thread| thread.row.is_some());
        // The TID may have been reused since.
        if self.ended_now.remove(&who) && !is_caught {
            self.threads.remove(&who);
            self.last = None;
        }
    }

    /// A process called `execve`, which leaves the main thread only.
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

    /// A process exited. It may be sampled once more.
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

    /// Goes on with an empty profile: no thread has a row any more, and those that ended are
    /// forgotten. `code_of` returns the mappings that a process has.
    pub(super) fn begin_profile(&mut self, code_of: impl Fn(u32) -> Vec<Mmap>) {
        self.last = None;
        self.mapped.clear();
        self.threads.retain(|_, thread| thread.goes_on());
        self.processes.retain(|_, process| process.goes_on());
        self.threads
            .values_mut()
            .for_each(|thread| thread.row = None);
        for (pid, process) in &mut self.processes {
            if process.row.take().is_some() {
                let code = code_of(*pid).into_iter().map(|mapping| (0, mapping));
                self.waiting.insert(*pid, code.collect());
            }
        }
        self.threads.shrink_to_fit();
        self.processes.shrink_to_fit();
        self.waiting.shrink_to_fit();
    }

    /// Goes on with other texts: each name that is in use is replaced.
    pub(super) fn rename(&mut self, mut new: impl FnMut(StrIdx) -> Option<StrIdx>) {
        let threads = self.threads.values_mut().map(|thread| &mut thread.name);
        let processes = self.processes.values_mut().map(|process| &mut process.name);
        for name in threads.chain(processes) {
            *name = name.and_then(&mut new);
        }
    }

    /// Drops a process that exited, once no more samples of it are expected.
    pub(super) fn gone(&mut self, pid: u32) {
        self.waiting.remove(&pid);
        let known = self.processes.get(&pid);
        if known.is_some_and(|known| known.row.is_none()) {
            self.processes.remove(&pid);
        }
    }

    /// A process mapped something; only code is kept.
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

    /// Takes the mappings of processes with samples since the last call.
    pub(super) fn take_mapped(&mut self) -> Vec<Mapped> {
        std::mem::take(&mut self.mapped)
    }
}
