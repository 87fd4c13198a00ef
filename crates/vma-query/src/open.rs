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

/// Capacity for `/proc/PID/task/TID/maps`.
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
    /// Returns the defaults: the first query chooses the backend, processes are looked up
    /// in `/proc`, and the directory is kept.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the backend.
    #[must_use]
    pub fn backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// Looks up processes here instead of in `/proc`. A sidecar container, for example,
    /// may have the host's processes in `/host/proc`.
    #[must_use]
    pub fn proc_root(self, proc_root: impl Into<PathBuf>) -> Self {
        Self {
            proc_root: Some(proc_root.into()),
            ..self
        }
    }

    /// Whether the process's directory is kept open with its maps (default: yes). Through
    /// it, other files of the same process can be opened later, even if its pid is reused
    /// meanwhile. Without it, an open takes half the time: about 1 µs instead of 2.
    #[must_use]
    pub fn directory(self, keep: bool) -> Self {
        Self {
            directory: keep,
            ..self
        }
    }

    /// Opens process `pid`.
    ///
    /// A process may end its first thread and continue. `/proc/PID/maps` is then empty,
    /// and the first query uses the maps of another thread. That thread must be older
    /// than this open, because only its age proves that the process has not called `exec`
    /// since.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], also when `/proc` hides it; [`Error::Denied`] when the
    /// caller may not ptrace-read it; [`Error::ProcessGone`]; [`Error::Io`], for example
    /// when no descriptors are left.
    pub fn open(&self, pid: u32) -> Result<ProcMaps> {
        if self.is_usual() {
            return self.open_maps(MapsPath::of(pid).as_c_str(), ProcDir::Pid(pid));
        }
        self.open_below(&pid.to_string())
    }

    /// Opens thread `tid` of process `pid`. Its VMAs are those of the process. Use it if
    /// only this thread is known to exist.
    ///
    /// When the thread ends before the process, the ioctl still answers, but the text
    /// gives [`Error::ProcessGone`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_task(&self, pid: u32, tid: u32) -> Result<ProcMaps> {
        self.open_below(&format!("{pid}/task/{tid}"))
    }

    /// Opens the calling process. After a `fork`, the child's copy still refers to the
    /// parent.
    ///
    /// # Errors
    /// As [`open`](Self::open), when `/proc` is not mounted.
    pub fn open_self(&self) -> Result<ProcMaps> {
        if self.is_usual() {
            return self.open_maps(c"/proc/self/maps", ProcDir::Own);
        }
        self.open_below("self")
    }

    /// Opens the process of an open directory `/proc/PID`. A process held this way is
    /// never confused with a later one with the same pid.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_dir(&self, directory: OwnedFd) -> Result<ProcMaps> {
        // Other threads can be found later only through the directory.
        let process = self
            .directory
            .then(|| ProcessPlace::now(ProcDir::Path(PathBuf::new())));
        self.open_in(directory, process)
    }

    /// Uses an open maps file of any origin. Access was checked when it was opened, so a
    /// process that could not open it itself may use it.
    ///
    /// A descriptor that was passed on or duplicated refers to the same open file. Only
    /// one holder should read its text at a time: if two read alternately while the
    /// process changes its mappings, lines can be lost. The ioctl has no such problem.
    #[must_use]
    pub fn from_fd(&self, maps: OwnedFd) -> ProcMaps {
        self.wrap(maps, None, None)
    }

    /// Returns whether the options are those of most one-shot queries, for which the path
    /// needs no allocation.
    fn is_usual(&self) -> bool {
        self.proc_root.is_none() && !self.directory
    }

    fn open_maps(&self, path: &CStr, place: ProcDir) -> Result<ProcMaps> {
        let process = ProcessPlace::now(place);
        let maps = opened(path, OFlag::O_RDONLY)?;
        Ok(self.wrap(maps, None, Some(process)))
    }

    fn open_below(&self, process: &str) -> Result<ProcMaps> {
        // With enough capacity, the pushes below do not reallocate.
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
            // The path is relative if the caller passed the directory.
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

/// The path `/proc/PID/maps`, built without allocation.
struct MapsPath([u8; MapsPath::ROOM]);

impl MapsPath {
    const PREFIX: &'static [u8] = b"/proc/";
    const SUFFIX: &'static [u8] = b"/maps\0";
    /// A pid has at most ten digits.
    const ROOM: usize = Self::PREFIX.len() + 10 + Self::SUFFIX.len();

    fn of(pid: u32) -> Self {
        let mut path = [0; Self::ROOM];
        // Filled from the end, as division yields the last digit first.
        let mut room = path.iter_mut().rev();
        let mut put = |byte: u8| {
            if let Some(place) = room.next() {
                *place = byte;
            }
        };
        Self::SUFFIX.iter().rev().for_each(|byte| put(*byte));
        let mut rest = pid;
        loop {
            put(b'0'.wrapping_add((rest % 10) as u8));
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Self::PREFIX.iter().rev().for_each(|byte| put(*byte));
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
