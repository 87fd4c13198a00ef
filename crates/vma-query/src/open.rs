//! The ways to open a process.

use std::ffi::{CStr, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::NixPath;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::maps::ProcMaps;
use crate::maps_file::MapsFile;
use crate::thread::{Moment, ProcDir, ProcessPlace};

/// How a process is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    backend: Backend,
    proc_root: Option<PathBuf>,
    directory: bool,
}

/// Enough for `/proc/PID/task/TID/maps`.
const PATH_ROOM: usize = 64;

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            proc_root: None,
            directory: true,
        }
    }
}

impl ProcMaps {
    /// Opens process `pid` with the default [`OpenOptions`].
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open(pid: u32) -> Result<Self> {
        OpenOptions::new().open(pid)
    }

    /// Opens the calling process with the default [`OpenOptions`].
    ///
    /// # Errors
    /// As [`OpenOptions::open_self`].
    pub fn open_self() -> Result<Self> {
        OpenOptions::new().open_self()
    }
}

impl OpenOptions {
    /// The backend is chosen by the first query, and `/proc` is `/proc`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this backend.
    #[must_use]
    pub fn backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// Looks for processes here instead of `/proc`: a sidecar container sees the
    /// host's processes in `/host/proc` or the like.
    #[must_use]
    pub fn proc_root(self, proc_root: impl Into<PathBuf>) -> Self {
        Self {
            proc_root: Some(proc_root.into()),
            ..self
        }
    }

    /// Whether the process's directory is kept open beside its maps (it is, unless
    /// told otherwise). Through it other files of the same process can be opened
    /// later, even if its pid was given to another meanwhile. Without it an open
    /// is half as dear: about 1 µs instead of 2.
    #[must_use]
    pub fn directory(self, keep: bool) -> Self {
        Self {
            directory: keep,
            ..self
        }
    }

    /// Opens process `pid`.
    ///
    /// A process may end its first thread and go on. `/proc/PID/maps` is then empty,
    /// and the first query turns to another thread: to one that was there before
    /// this open, for only its age proves that no `exec` came between.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], also when `/proc` hides it; [`Error::Denied`] when
    /// the caller may not ptrace-read it; [`Error::ProcessGone`]; [`Error::Io`],
    /// for one when descriptors are exhausted.
    pub fn open(&self, pid: u32) -> Result<ProcMaps> {
        if self.is_usual() {
            return self.open_maps(MapsPath::of(pid).as_c_str(), ProcDir::Pid(pid));
        }
        self.open_below(&pid.to_string())
    }

    /// Opens thread `tid` of process `pid`. Its VMAs are those of the process; it
    /// serves where only the thread is known to live.
    ///
    /// When the thread ends and the process lives on, the ioctl goes on answering;
    /// the text says [`Error::ProcessGone`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_task(&self, pid: u32, tid: u32) -> Result<ProcMaps> {
        self.open_below(&format!("{pid}/task/{tid}"))
    }

    /// Opens the calling process. The answer stays bound to it across `fork`.
    ///
    /// # Errors
    /// As [`open`](Self::open), when `/proc` is not mounted.
    pub fn open_self(&self) -> Result<ProcMaps> {
        if self.is_usual() {
            return self.open_maps(c"/proc/self/maps", ProcDir::Own);
        }
        self.open_below("self")
    }

    /// Takes an open directory `/proc/PID`: a process held so is never confused
    /// with a later one of the same pid.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_dir(&self, directory: OwnedFd) -> Result<ProcMaps> {
        // Without its directory no other thread can be found later.
        let process = self
            .directory
            .then(|| ProcessPlace::now(ProcDir::Path(PathBuf::new())));
        self.open_in(directory, process)
    }

    /// Takes an open maps file, wherever it came from. Access was checked when it
    /// was opened: a process that could not open it itself may use it.
    ///
    /// A descriptor that was passed on or duplicated is still the same open file.
    /// Only one of its holders should read its text at a time: a reading that is
    /// interrupted by another's can lose lines when the process changes meanwhile.
    /// The ioctl knows no such trouble.
    #[must_use]
    pub fn from_fd(&self, maps: OwnedFd) -> ProcMaps {
        self.wrap(maps, None, None)
    }

    /// Whether it is opened as most one-shot queries are: then no path is put together.
    fn is_usual(&self) -> bool {
        self.proc_root.is_none() && !self.directory
    }

    fn open_maps(&self, path: &CStr, place: ProcDir) -> Result<ProcMaps> {
        let process = ProcessPlace::now(place);
        let maps = opened(path, OFlag::O_RDONLY)?;
        Ok(self.wrap(maps, None, Some(process)))
    }

    fn open_below(&self, process: &str) -> Result<ProcMaps> {
        // A path that grows by pieces would allocate with each of them.
        let mut path = PathBuf::with_capacity(PATH_ROOM);
        path.push(self.proc_root.as_deref().unwrap_or("/proc".as_ref()));
        path.push(process);
        let opened_at = Moment::now();
        if self.directory {
            let directory = opened(&path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
            let process = ProcessPlace::new(ProcDir::Path(path), opened_at);
            return self.open_in(directory, Some(process));
        }
        path.push("maps");
        let maps = opened(&path, OFlag::O_RDONLY)?;
        path.pop();
        let process = ProcessPlace::new(ProcDir::Path(path), opened_at);
        Ok(self.wrap(maps, None, Some(process)))
    }

    fn open_in(&self, directory: OwnedFd, process: Option<ProcessPlace>) -> Result<ProcMaps> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let maps = openat(&directory, "maps", flags, Mode::empty());
        let maps = maps.map_err(|errno| {
            // The path is relative if the directory was handed in.
            let path = process
                .as_ref()
                .map_or("maps".into(), ProcessPlace::maps_path);
            Error::from_open(Some(path), errno.into())
        })?;
        Ok(self.wrap(maps, self.directory.then_some(directory), process))
    }

    fn wrap(
        &self,
        maps: OwnedFd,
        directory: Option<OwnedFd>,
        process: Option<ProcessPlace>,
    ) -> ProcMaps {
        let file = MapsFile::of(maps.into(), directory, process);
        ProcMaps::new(file, self.backend)
    }
}

/// `/proc/PID/maps`, put together without the heap.
struct MapsPath([u8; MapsPath::ROOM]);

impl MapsPath {
    const BEFORE: &'static [u8] = b"/proc/";
    const BEHIND: &'static [u8] = b"/maps\0";
    /// A pid has ten digits at the most.
    const ROOM: usize = Self::BEFORE.len() + 10 + Self::BEHIND.len();

    fn of(pid: u32) -> Self {
        let mut path = [0; Self::ROOM];
        // From the back, as digits come.
        let mut room = path.iter_mut().rev();
        let mut put = |byte: u8| {
            if let Some(place) = room.next() {
                *place = byte;
            }
        };
        Self::BEHIND.iter().rev().for_each(|byte| put(*byte));
        let mut rest = pid;
        loop {
            put(b'0'.wrapping_add((rest % 10) as u8));
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Self::BEFORE.iter().rev().for_each(|byte| put(*byte));
        Self(path)
    }

    fn as_c_str(&self) -> &CStr {
        let start = self.0.iter().position(|byte| *byte != 0);
        let path = self.0.get(start.unwrap_or_default()..).unwrap_or_default();
        CStr::from_bytes_with_nul(path).unwrap_or_default()
    }
}

fn opened(path: &(impl NixPath + ?Sized), flags: OFlag) -> Result<OwnedFd> {
    open(path, flags | OFlag::O_CLOEXEC, Mode::empty()).map_err(|errno| {
        let path = path.with_nix_path(|path| OsStr::from_bytes(path.to_bytes()).into());
        Error::from_open(path.ok(), errno.into())
    })
}

#[cfg(test)]
mod tests {
    use super::MapsPath;

    #[test]
    fn a_pid_of_any_length_has_its_path() {
        for pid in [0, 7, 10, 4711, 4_194_304, u32::MAX] {
            let path = MapsPath::of(pid);
            let want = format!("/proc/{pid}/maps");
            assert_eq!(path.as_c_str().to_str(), Ok(want.as_str()));
        }
    }
}
