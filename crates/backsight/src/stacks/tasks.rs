//! The threads of a process as `/proc` shows them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::refusal::StackRefusal;
use super::thread_stack::ThreadStack;

/// The directory of a process in `/proc`.
#[derive(Debug)]
pub(super) struct Tasks {
    pid: u32,
    directory: PathBuf,
}

impl Tasks {
    pub(super) fn of(pid: u32) -> Self {
        let directory = Path::new("/proc").join(pid.to_string());
        Self { pid, directory }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the IDs of the threads, in ascending order. Empty if the process has gone.
    pub(super) fn ids(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(self.directory.join("task")) else {
            return Vec::new();
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let ids = names.filter_map(|name| name.to_str()?.parse().ok());
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        ids
    }

    /// Returns the name of a thread: arbitrary bytes.
    pub(super) fn name(&self, tid: u32) -> Vec<u8> {
        let name = fs::read(self.of_thread(tid, "comm")).unwrap_or_default();
        name.trim_ascii_end().to_owned()
    }

    /// Opens the memory of a thread. That of its process may lead nowhere: the first thread may
    /// have ended.
    pub(super) fn memory(&self, tid: u32) -> io::Result<File> {
        File::open(self.of_thread(tid, "mem"))
    }

    /// Returns the first bytes of the program; none if it may not be read.
    pub(super) fn program_head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        if let Ok(file) = File::open(self.directory.join("exe")) {
            // What could be read decides.
            let _ = file.take(16).read_to_end(&mut head);
        }
        head
    }

    /// Returns the first thread of a process that has no memory, and why: a zombie, or a thread of
    /// the kernel.
    pub(super) fn without_memory(&self) -> Option<ThreadStack> {
        let refusal = self.why_denied(self.pid);
        let is_why = matches!(refusal, StackRefusal::Ended | StackRefusal::OfKernel);
        let is_there = is_why && self.directory.exists();
        is_there.then(|| ThreadStack {
            stack: Err(refusal),
            ..ThreadStack::unread(self.pid, self.name(self.pid))
        })
    }

    /// Returns why the kernel refuses to trace a thread, as far as it shows that.
    pub(super) fn why_denied(&self, tid: u32) -> StackRefusal {
        let status = fs::read(self.of_thread(tid, "status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let field = |name: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(str::trim)
        };
        let number = |name| field(name).and_then(|value| value.parse::<u32>().ok());
        if field("State").is_none_or(|state| state.starts_with(['Z', 'X'])) {
            return StackRefusal::Ended;
        }
        if number("Tgid") == Some(std::process::id()) {
            return StackRefusal::Own;
        }
        // A thread that ends has no memory, either, but it was not refused.
        if field("VmSize").is_none() && field("Kthread") != Some("0") {
            return StackRefusal::OfKernel;
        }
        match number("TracerPid") {
            None | Some(0) => StackRefusal::Denied,
            Some(pid) => StackRefusal::Traced {
                pid,
                name: String::from_utf8_lossy(&Self::of(pid).name(pid)).into_owned(),
            },
        }
    }

    fn of_thread(&self, tid: u32, file: &str) -> PathBuf {
        self.directory.join(format!("task/{tid}/{file}"))
    }
}
