//! Queries a process whose first thread has ended through another of its threads.
//!
//! `/proc/PID/maps` shows the memory of the process's *first* thread. A program may end
//! that thread and continue (`pthread_exit` in `main`). The file can then still be opened
//! but is empty, as for a zombie, while `/proc/PID/task/TID/maps` of any remaining thread
//! shows all VMAs.
//!
//! The file is also empty if the process has called `exec` since the open, and answers
//! about the new program must not be returned for the old one. The age of a thread
//! distinguishes the two: `exec` ends all threads but the calling one, which becomes the
//! first. So a running thread that is not the first and is older than the open proves
//! that the program is still the same. A reused pid is recognized too: all threads of the
//! new process are younger than the open.
//!
//! The kernel reports start times in hundredths of a second. A thread that started in the
//! same hundredth as the open proves nothing, and the process counts as gone.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// Where a process is found, and when it was opened.
#[derive(Debug)]
pub(crate) struct ProcessPlace {
    place: ProcDir,
    opened: Moment,
}

/// Where a process is found. The usual places store no path, as it is rarely needed
/// again.
#[derive(Debug)]
pub(crate) enum ProcDir {
    /// `/proc/self`.
    Own,
    /// `/proc/PID`.
    Pid(u32),
    /// Any other.
    Path(PathBuf),
}

impl ProcessPlace {
    pub(crate) fn new(place: ProcDir, opened: Moment) -> Self {
        Self { place, opened }
    }

    pub(crate) fn now(place: ProcDir) -> Self {
        Self::new(place, Moment::now())
    }

    /// The path of its maps file, for messages.
    pub(crate) fn maps_path(&self) -> PathBuf {
        self.path().join("maps")
    }

    fn path(&self) -> Cow<'_, Path> {
        match &self.place {
            ProcDir::Own => Path::new("/proc/self").into(),
            ProcDir::Pid(pid) => PathBuf::from(format!("/proc/{pid}")).into(),
            ProcDir::Path(path) => path.into(),
        }
    }
}

/// The maps of a thread that is not the first, and the thread's directory.
#[derive(Debug)]
pub(crate) struct OtherThread {
    pub(crate) maps: File,
    pub(crate) directory: OwnedFd,
}

/// A time since boot; `None` if the clock cannot be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Option<nix::sys::time::TimeSpec>);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(clock_gettime(ClockId::CLOCK_BOOTTIME).ok())
    }

    /// Returns the number of whole clock ticks, as start times are counted.
    fn in_ticks(self) -> Option<u64> {
        let a_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
        let time = self.0?;
        let nanos_a_tick = 1_000_000_000_u64.checked_div(a_second)?;
        let seconds = u64::try_from(time.tv_sec()).ok()?.checked_mul(a_second)?;
        let rest = u64::try_from(time.tv_nsec()).ok()?;
        seconds.checked_add(rest.checked_div(nanos_a_tick)?)
    }
}

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC);

/// Finds a thread to use instead of the first one, below the kept `directory` if there is
/// one.
pub(crate) fn find_other(
    process: &ProcessPlace,
    directory: Option<BorrowedFd<'_>>,
) -> Option<OtherThread> {
    let opened = process.opened.in_ticks()?;
    let flags = READ.union(OFlag::O_DIRECTORY);
    let own;
    let directory = match directory {
        Some(kept) => kept,
        None => {
            own = open(&*process.path(), flags, Mode::empty()).ok()?;
            own.as_fd()
        }
    };
    let first = read_stat(directory)?;
    let mut tasks = Dir::openat(directory, "task", flags, Mode::empty()).ok()?;
    // The names are collected first, because the iteration and the opens share the
    // directory's descriptor.
    let names: Vec<_> = tasks.iter().flatten().collect();
    let names = names.iter().map(|entry| entry.file_name());
    let mut others = names.filter(|name| {
        let is_thread = name.to_bytes().first().is_some_and(u8::is_ascii_digit);
        is_thread && name.to_bytes() != number(&first)
    });
    others.find_map(|name| {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let thread = openat(&tasks, name, flags, Mode::empty()).ok()?;
        with_memory(thread, opened)
    })
}

/// Uses a thread if it is running and is older than `opened`.
fn with_memory(directory: OwnedFd, opened: u64) -> Option<OtherThread> {
    let maps = File::from(openat(&directory, "maps", READ, Mode::empty()).ok()?);
    // The text of an exiting thread is empty.
    let has_text = maps.read_at(&mut [0], 0).is_ok_and(|read| read > 0);
    // Read after the open: the thread existed at both times, so it existed during the
    // open.
    let older = start_ticks(&read_stat(directory.as_fd())?)? < opened;
    (has_text && older).then_some(OtherThread { maps, directory })
}

fn read_stat(directory: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let file = openat(directory, "stat", READ, Mode::empty()).ok()?;
    let mut stat = Vec::new();
    File::from(file).take(4096).read_to_end(&mut stat).ok()?;
    Some(stat)
}

/// Returns the first field of a `stat` file: the number of the process or thread.
fn number(stat: &[u8]) -> &[u8] {
    stat.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Returns the 22nd field of a `/proc/PID/stat` file: when the process or thread started,
/// in clock ticks (`sysconf(_SC_CLK_TCK)` a second) since the system's boot. `None` if
/// the text is not of that form.
///
/// Source: `proc_pid_stat(5)`. The second field is a name in parentheses, and may contain
/// parentheses and spaces itself.
#[must_use]
pub fn start_ticks(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(name_end..)?).ok()?;
    // The text starts with the parenthesis that ends the second field.
    fields.split_whitespace().nth(20)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Moment, start_ticks};

    #[test]
    fn the_start_is_found_behind_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        for name in ["(sh)", "(a) b (c)", "()", "( S 1 )"] {
            let stat = format!("42 {name} {fields}\n");
            assert_eq!(start_ticks(stat.as_bytes()), Some(4711), "{name}");
        }
        for broken in ["", "42 (sh", "42 (sh) S 1", "42 (sh) S x"] {
            assert_eq!(start_ticks(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn a_process_started_before_now() {
        let stat = std::fs::read("/proc/self/stat").unwrap();
        assert!(start_ticks(&stat).unwrap() <= Moment::now().in_ticks().unwrap());
    }
}
