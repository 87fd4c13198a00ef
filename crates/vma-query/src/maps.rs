//! One process's VMAs, asked one by one.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use backsight_types::BuildId;
use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::backend::{Backend, Choice, Refusal};
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::ioctl::{self, Answer};
use crate::lines::MapsFile;
use crate::walk::Vmas;
use crate::{NameBuf, Query, Snapshot, Vma, vsyscall};

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
    /// # Errors
    /// [`Error::NoSuchProcess`], also when `/proc` hides it; [`Error::Denied`] when
    /// the caller may not ptrace-read it; [`Error::ProcessGone`]; [`Error::Io`],
    /// for one when descriptors are exhausted.
    pub fn open(&self, pid: u32) -> Result<ProcMaps> {
        self.open_below(&pid.to_string())
    }

    /// Opens thread `tid` of process `pid`. Its VMAs are those of the process; it
    /// serves where only the thread is known to live: a process whose first thread
    /// has ended opens by another alone.
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
        if self.proc_root.is_none() && !self.directory {
            // Where most one-shot queries begin: no path is put together.
            return Ok(self.wrap(opened(c"/proc/self/maps", OFlag::O_RDONLY)?, None));
        }
        self.open_below("self")
    }

    /// Takes an open directory `/proc/PID`: a process held so is never confused
    /// with a later one of the same pid.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_dir(&self, directory: OwnedFd) -> Result<ProcMaps> {
        let maps = openat(
            &directory,
            "maps",
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        );
        let file = maps.map_err(|errno| Error::from_open(errno.into()))?;
        Ok(self.wrap(file, self.directory.then_some(directory)))
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
        self.wrap(maps, None)
    }

    fn open_below(&self, process: &str) -> Result<ProcMaps> {
        // A path that grows by pieces would allocate with each of them.
        let mut path = PathBuf::with_capacity(PATH_ROOM);
        path.push(self.proc_root.as_deref().unwrap_or("/proc".as_ref()));
        path.push(process);
        if self.directory {
            self.open_dir(opened(&path, OFlag::O_PATH | OFlag::O_DIRECTORY)?)
        } else {
            path.push("maps");
            Ok(self.wrap(opened(&path, OFlag::O_RDONLY)?, None))
        }
    }

    fn wrap(&self, maps: OwnedFd, directory: Option<OwnedFd>) -> ProcMaps {
        ProcMaps {
            file: MapsFile::new(File::from(maps)),
            directory,
            choice: Choice::new(self.backend),
        }
    }
}

fn opened(path: &(impl NixPath + ?Sized), flags: OFlag) -> Result<OwnedFd> {
    open(path, flags | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Error::from_open(errno.into()))
}

/// An open process, to be asked for its VMAs.
///
/// It holds the process's address space by a file descriptor: see the crate's
/// documentation for what that guarantees. Sharing it among threads is fine.
#[derive(Debug)]
pub struct ProcMaps {
    file: MapsFile,
    directory: Option<OwnedFd>,
    choice: Choice,
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

    /// Returns the backend in use, [`Backend::Auto`] before the first query.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.choice.in_use()
    }

    /// Returns the open directory of the process, if it was kept: the way to its
    /// `root`, `map_files` and `mem`.
    #[must_use]
    pub fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    /// Returns the VMA that `query` asks for, or `None`.
    ///
    /// By text, each call reads the text up to the answer: for several addresses
    /// use a [`cursor`](Self::cursor) or a [`snapshot`](Self::snapshot).
    ///
    /// # Errors
    /// [`Error::ProcessGone`]; [`Error::Unsupported`] when the ioctl is forced and
    /// the kernel does not know it; [`Error::NotMaps`]; by text also
    /// [`Error::Malformed`] and [`Error::Torn`].
    pub fn query(&self, query: Query) -> Result<Option<Vma>> {
        match self.ioctl(query)? {
            Reply::Answer(found) => Ok(found),
            Reply::UseText => self.query_text(query, None),
        }
    }

    /// Returns the VMA that `query` asks for and puts its name into `name`.
    ///
    /// A path above 4 KiB does not fit the ioctl's answer: the text's line is then
    /// taken instead, by this one call.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_named(&self, query: Query, name: &mut NameBuf) -> Result<Option<Vma>> {
        match self.ioctl_named(query, name)? {
            Reply::Answer(found) => Ok(found),
            Reply::UseText => self.query_text(query, Some(name)),
        }
    }

    /// Returns the VMA that `query` asks for and the GNU build ID that the kernel
    /// reads from the mapped file itself: a replaced path or another mount
    /// namespace does not matter, and a deleted file still answers.
    ///
    /// It costs five bare queries, may block on the file's device, and has met
    /// kernel bugs: ask once for each file.
    ///
    /// # Errors
    /// As [`query`](Self::query); [`Error::Unsupported`] by text, which carries no
    /// build IDs.
    pub fn query_build_id(&self, query: Query) -> Result<Option<(Vma, Option<BuildId>)>> {
        if self.choice.is_text() {
            return Err(Error::Unsupported);
        }
        match self.heard(ioctl::ask_build_id(self.file.file(), query))? {
            Heard::Found(found) => Ok(Some(found)),
            Heard::UseText => Err(Error::Unsupported),
            Heard::NoMatch | Heard::NameTooLong => {
                Ok(vsyscall::answer(self.file.file(), query).map(|page| (page, None)))
            }
        }
    }

    /// Walks over all VMAs, upwards.
    #[must_use]
    pub fn vmas(&self) -> Vmas<'_> {
        Vmas::new(self.cursor())
    }

    /// Returns a cursor below the first VMA, for many sorted addresses.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::live(self)
    }

    /// Reads the whole text, whatever the backend, and again when it came out torn.
    ///
    /// # Errors
    /// [`Error::ProcessGone`], [`Error::Malformed`], and [`Error::Torn`] when the
    /// process kept changing its mappings through several readings.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::of(&self.file)
    }

    pub(crate) fn file(&self) -> &MapsFile {
        &self.file
    }

    /// Asks the ioctl for a VMA, unless the text was chosen already.
    #[inline]
    pub(crate) fn ioctl(&self, query: Query) -> Result<Reply> {
        if self.choice.is_text() {
            return Ok(Reply::UseText);
        }
        match self.heard(ioctl::ask(self.file.file(), query))? {
            Heard::Found(vma) => Ok(Reply::Answer(Some(vma))),
            Heard::UseText => Ok(Reply::UseText),
            Heard::NoMatch | Heard::NameTooLong => {
                Ok(Reply::Answer(vsyscall::answer(self.file.file(), query)))
            }
        }
    }

    /// As [`ioctl`](Self::ioctl), with the name.
    #[inline]
    pub(crate) fn ioctl_named(&self, query: Query, name: &mut NameBuf) -> Result<Reply> {
        if self.choice.is_text() {
            return Ok(Reply::UseText);
        }
        loop {
            return Ok(
                match self.heard(ioctl::ask_named(self.file.file(), query, name))? {
                    Heard::Found(vma) => Reply::Answer(Some(vma)),
                    Heard::UseText => Reply::UseText,
                    Heard::NameTooLong if name.grow() => continue,
                    Heard::NameTooLong => Reply::Answer(self.query_text(query, Some(name))?),
                    Heard::NoMatch => {
                        let page = vsyscall::answer(self.file.file(), query);
                        name.set(if page.is_some() { vsyscall::NAME } else { b"" });
                        Reply::Answer(page)
                    }
                },
            );
        }
    }

    /// Sorts what the kernel said: answers, failures, and a kernel too old.
    #[inline]
    fn heard<T>(&self, answer: Answer<T>) -> Result<Heard<T>> {
        let heard = match answer {
            Answer::Found(found) => Heard::Found(found),
            Answer::NoMatch => Heard::NoMatch,
            Answer::NameTooLong => Heard::NameTooLong,
            Answer::Failed(error) => return Err(error),
            Answer::Refused(errno) => return self.refused(errno),
        };
        self.choice.ioctl_answered();
        Ok(heard)
    }

    #[cold]
    fn refused<T>(&self, errno: Errno) -> Result<Heard<T>> {
        match self.choice.ioctl_refused() {
            Refusal::UseText => Ok(Heard::UseText),
            Refusal::Unsupported => Err(Error::Unsupported),
            Refusal::ThisFileAlone if errno == Errno::ENOTTY => Err(Error::NotMaps),
            Refusal::ThisFileAlone => Err(Error::Io(errno.into())),
        }
    }

    fn query_text(&self, query: Query, name: Option<&mut NameBuf>) -> Result<Option<Vma>> {
        let mut cursor = Cursor::text(self).only(query.filter);
        let answers = |vma: &Vma| query.is_answered_by(vma);
        let Some(name) = name else {
            return Ok(cursor.seek(query.addr)?.filter(answers));
        };
        let found = cursor.seek_named(query.addr, name)?.filter(answers);
        if found.is_none() {
            name.clear();
        }
        Ok(found)
    }
}

/// What the ioctl said, when it was asked.
pub(crate) enum Reply {
    /// The VMA asked for, or that there is none.
    Answer(Option<Vma>),
    /// The ioctl is not to be asked on this file.
    UseText,
}

/// One answer of the kernel that is no failure.
enum Heard<T> {
    Found(T),
    NoMatch,
    NameTooLong,
    UseText,
}
