//! Reads the program counter of each thread of a process.
//!
//! `/proc/PID/task/TID/syscall` ends with the program counter of a thread that is blocked. The
//! kernel reports it without stopping the thread.
//!
//! ```text
//! 230 0x0 0x0 0x7ffd… 0x7ffd… 0x0 0x0 0x7ffd5c3a0b08 0x7f1b4c6d1a47     in a system call
//! -1 0x7ffd5c3a0b08 0x7f1b4c6d1a47                                     blocked outside a system call
//! running
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use backsight_types::AbsAddr;
use nix::errno::Errno;
use vma_query::FileError;

/// A thread of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveThread {
    /// Its thread ID, in the PID namespace of this `/proc`.
    pub tid: u32,
    /// Its name, as set by the process: arbitrary bytes.
    pub name: Vec<u8>,
    /// Its program counter; `None` while it runs.
    pub pc: Option<AbsAddr>,
}

/// Why the threads of a process cannot be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The process has exited.
    Process(vma_query::Error),
    /// A file or the directory of threads cannot be read.
    Unreadable(FileError),
}

/// Returns the threads of a process, by thread ID. Threads that exit meanwhile are left out.
pub(crate) fn of_process(proc_root: &Path, pid: u32) -> Result<Vec<LiveThread>, Failure> {
    let tasks = proc_root.join(format!("{pid}/task"));
    let entries = fs::read_dir(&tasks).map_err(|error| failed("list", tasks, error))?;
    let mut threads = Vec::new();
    for entry in entries.flatten() {
        let Some(tid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let path = entry.path().join("syscall");
        let state = match fs::read_to_string(&path) {
            Ok(state) => state,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(failed("read", path, error)),
        };
        let name = fs::read(entry.path().join("comm")).unwrap_or_default();
        threads.push(LiveThread {
            tid,
            name: name.trim_ascii_end().to_owned(),
            pc: program_counter(&state),
        });
    }
    if threads.is_empty() {
        // The process is a zombie, or its last thread exited meanwhile.
        return Err(Failure::Process(vma_query::Error::ProcessGone));
    }
    threads.sort_by_key(|thread| thread.tid);
    Ok(threads)
}

/// Parses the last field of the `syscall` file.
fn program_counter(state: &str) -> Option<AbsAddr> {
    let (_, pc) = state.trim_end().rsplit_once(' ')?;
    // For a kernel thread the kernel prints 0.
    pc.parse().ok().filter(|pc| *pc != AbsAddr(0))
}

fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::ENOENT, Errno::ESRCH];
    gone.iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

fn failed(operation: &'static str, path: PathBuf, error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::Process(vma_query::Error::NoSuchProcess),
        _ => Failure::Unreadable(FileError::new(operation, Some(&path), error)),
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;

    use super::program_counter;

    #[test]
    fn the_last_field_is_the_program_counter() {
        let cases = [
            ("running", "running\n", None),
            (
                "in a call",
                "230 0x0 0x0 0x1 0x2 0x0 0x0 0x7ffd08 0x7f1b47\n",
                Some(0x7f1b47),
            ),
            (
                "stopped elsewhere",
                "-1 0x7ffd08 0x7f1b47\n",
                Some(0x7f1b47),
            ),
            (
                "a kernel thread",
                "0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n",
                None,
            ),
            ("nothing", "", None),
        ];
        for (name, state, want) in cases {
            assert_eq!(program_counter(state), want.map(AbsAddr), "{name}");
        }
    }
}
