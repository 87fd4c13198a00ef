//! Where each thread of a process stands.
//!
//! `/proc/PID/task/TID/syscall` ends in the program counter of a thread that
//! sleeps; the kernel gives it without stopping anybody.
//!
//! ```text
//! 230 0x0 0x0 0x7ffd… 0x7ffd… 0x0 0x0 0x7ffd5c3a0b08 0x7f1b4c6d1a47     in a system call
//! -1 0x7ffd5c3a0b08 0x7f1b4c6d1a47                                     stopped elsewhere
//! running
//! ```

use std::fs;
use std::io;
use std::path::Path;

use backsight_formats::escape::Terminal;
use backsight_types::AbsAddr;

use crate::failure::{self, Failure, Result};

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    pub(crate) tid: u32,
    /// Its name, escaped.
    pub(crate) name: String,
    /// Where it stands; `None` while it runs.
    pub(crate) pc: Option<AbsAddr>,
}

/// Returns the threads of a process, in the order of their IDs. Those that end
/// meanwhile are left out.
pub(crate) fn of_process(proc_root: Option<&Path>, pid: u32) -> Result<Vec<Thread>> {
    let proc_root = proc_root.unwrap_or(Path::new("/proc"));
    let tasks = proc_root.join(format!("{pid}/task"));
    let entries = fs::read_dir(&tasks).map_err(|error| failed(pid, &error))?;
    let mut threads = Vec::new();
    for entry in entries.flatten() {
        let Some(tid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let state = match fs::read_to_string(entry.path().join("syscall")) {
            Ok(state) => state,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(failed(pid, &error)),
        };
        let name = fs::read(entry.path().join("comm")).unwrap_or_default();
        threads.push(Thread {
            tid,
            name: Terminal(name.trim_ascii_end()).to_string(),
            pc: program_counter(&state),
        });
    }
    if threads.is_empty() {
        // A zombie, or the last thread ended as we looked.
        return Err(failure::process(pid, &vma_query::Error::ProcessGone));
    }
    threads.sort_by_key(|thread| thread.tid);
    Ok(threads)
}

/// Reads the last field of what the kernel printed.
fn program_counter(state: &str) -> Option<AbsAddr> {
    let (_, pc) = state.trim_end().rsplit_once(' ')?;
    // A kernel thread has none, and the kernel prints zeros.
    pc.parse().ok().filter(|pc| *pc != AbsAddr(0))
}

fn is_gone(error: &io::Error) -> bool {
    let gone = [nix::errno::Errno::ENOENT, nix::errno::Errno::ESRCH];
    gone.iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

fn failed(pid: u32, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => failure::process(pid, &vma_query::Error::NoSuchProcess),
        io::ErrorKind::PermissionDenied => Failure::Failed(format!(
            "process {pid}: permission denied to see where its threads stand, which asks for more \
             than its memory map does: run as root or with CAP_SYS_PTRACE, or as the same user \
             with kernel.yama.ptrace_scope=0"
        )),
        _ => Failure::io(
            format_args!("process {pid}: where its threads stand"),
            error,
        ),
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
