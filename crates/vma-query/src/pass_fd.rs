//! Passing an open maps file to another process over a Unix socket.
//!
//! The kernel checks access to a process only when its maps file is opened. So a
//! privileged process can open it and pass it to an unprivileged one, and a process, which
//! may always open its own, can pass itself:
//!
//! ```text
//!   privileged helper, or the       worker, or agent, of any user
//!   process itself
//!   ProcMaps::open(pid)
//!   maps.send_over(&socket) ──────▶ ProcMaps::receive_from(&socket)
//!                                   maps.query(…), Session::new(maps, …)
//! ```
//!
//! Source: `proc_maps_open` in Linux `fs/proc/task_mmu.c` calls `proc_mem_open` with
//! `PTRACE_MODE_READ`, which asks `mm_access` in `kernel/fork.c`; a process's own memory
//! passes there without a check. `do_procmap_query`, and reading the text, only ask
//! whether that memory is still there (`mmget_not_zero`).
//!
//! The message is one byte with one descriptor (`SCM_RIGHTS`), or two: the second is the
//! root directory of the process, to find its files in. The receiver checks what arrives:
//! see [`OpenOptions::receive_from`] and [`OpenOptions::receive_with_root`].

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_types::AbsAddr;
use nix::errno::Errno;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::error::{Error, Result};
use crate::maps::ProcMaps;
use crate::message;
use crate::name::DELETED;
use crate::open::OpenOptions;
use crate::query::Query;

/// A message needs a payload to carry a descriptor.
const PAYLOAD: [u8; 1] = *b"m";

/// What is wrong with a message that has more descriptors than are expected.
const MORE_THAN_ONE: &str = "more than one descriptor";

/// A query that every process with user memory answers.
const ANY: Query = Query::covering_or_next(AbsAddr(0));

impl ProcMaps {
    /// Sends the maps file to the process at the other end of a Unix socket. The receiver
    /// can then make the same queries as this process: the *addresses* of the VMAs, their
    /// names, and the build IDs. It gets no access to the memory or the files.
    ///
    /// # Errors
    /// [`Error::PeerClosed`]; [`Error::ProcessGone`] and [`Error::NotMaps`], as the file
    /// would be useless to the receiver; [`Error::Io`], for example when the socket is
    /// not a Unix socket or would block.
    pub fn send_over(&self, socket: impl AsFd) -> Result<()> {
        self.send(socket.as_fd(), None)
    }

    /// Sends the maps file as [`send_over`](Self::send_over) does, and with it the root
    /// directory of the process: that of `/` for a process that sends itself. With it, the
    /// receiver can open the files that are mapped, as far as the permissions of these files
    /// allow it.
    ///
    /// # Errors
    /// As [`send_over`](Self::send_over).
    pub fn send_with_root(&self, socket: impl AsFd, root: impl AsFd) -> Result<()> {
        self.send(socket.as_fd(), Some(root.as_fd()))
    }

    fn send(&self, socket: BorrowedFd<'_>, root: Option<BorrowedFd<'_>>) -> Result<()> {
        // This also switches to another thread if the first one has ended.
        match self.query(ANY) {
            Ok(_) | Err(Error::Unsupported) => {}
            Err(why) => return Err(why),
        }
        let files: Vec<BorrowedFd<'_>> = std::iter::once(self.as_fd()).chain(root).collect();
        let mut payload = PAYLOAD;
        message::send(socket, &mut payload, &files).map_err(|errno| match errno {
            Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN => Error::PeerClosed,
            errno => Error::of_descriptor("send the maps file", errno),
        })
    }

    /// Receives a maps file over a Unix socket, with the default [`OpenOptions`].
    ///
    /// # Errors
    /// As [`OpenOptions::receive_from`].
    pub fn receive_from(socket: impl AsFd) -> Result<Self> {
        OpenOptions::new().receive_from(socket)
    }
}

impl OpenOptions {
    /// Receives a maps file that [`ProcMaps::send_over`] sent, or that any other program
    /// sent with one byte. It waits for the message until the timeout of the socket, if
    /// there is one. The result has no [directory](ProcMaps::directory).
    ///
    /// The sender is not trusted: exactly one descriptor must arrive, and it must be a
    /// file named `maps` in a procfs. All other descriptors are closed. Which process the
    /// file belongs to cannot be verified.
    ///
    /// # Errors
    /// [`Error::PeerClosed`]; [`Error::NotPassed`] and [`Error::NotMaps`] when something
    /// else arrived; [`Error::Io`], for example with `EMFILE` when this process may open
    /// no more files, or when the socket would block.
    pub fn receive_from(&self, socket: impl AsFd) -> Result<ProcMaps> {
        match received(socket.as_fd())? {
            (maps, None) => self.checked(maps),
            (_, Some(_)) => Err(Error::NotPassed {
                reason: MORE_THAN_ONE,
            }),
        }
    }

    /// Receives a maps file as [`receive_from`](Self::receive_from) does, and with it the
    /// root directory of the process, if [`ProcMaps::send_with_root`] sent one.
    ///
    /// The root must be a directory. Nothing else about it can be verified: it may be any
    /// directory that the sender may open. A file that is found in it is the mapped one only
    /// if that is proven, as `backsight_normalize::Session` does.
    ///
    /// # Errors
    /// As [`receive_from`](Self::receive_from).
    pub fn receive_with_root(&self, socket: impl AsFd) -> Result<(ProcMaps, Option<OwnedFd>)> {
        let (maps, root) = received(socket.as_fd())?;
        let root = root.map(File::from);
        let is_directory = |root: &File| root.metadata().is_ok_and(|it| it.is_dir());
        if !root.iter().all(is_directory) {
            let reason = "a second descriptor that is no directory";
            return Err(Error::NotPassed { reason });
        }
        Ok((self.checked(maps)?, root.map(OwnedFd::from)))
    }

    fn checked(&self, file: OwnedFd) -> Result<ProcMaps> {
        let file_system = fstatfs(&file)
            .map_err(|errno| Error::of_descriptor("check the received file", errno))?;
        if file_system.filesystem_type() != PROC_SUPER_MAGIC {
            return Err(Error::NotMaps);
        }
        let called = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let maps = self.from_fd(file);
        match called {
            Ok(path) if is_called_maps(&path) => Ok(maps),
            Ok(_) => Err(Error::NotMaps),
            // In a sandbox without /proc, a query proves that it is a maps file.
            Err(_) => maps.query(ANY).map(|_| maps),
        }
    }
}

/// Returns the descriptors of a message that has one or two.
fn received(socket: BorrowedFd<'_>) -> Result<(OwnedFd, Option<OwnedFd>)> {
    let mut payload = [0; PAYLOAD.len()];
    let received = match message::receive(socket, &mut payload) {
        Ok(received) => received,
        Err(Errno::ECONNRESET | Errno::ENOTCONN) => return Err(Error::PeerClosed),
        Err(errno) => return Err(Error::of_descriptor("receive a maps file", errno)),
    };
    let not_passed = |reason| Err(Error::NotPassed { reason });
    if received.cut_off {
        if received.files.is_empty() {
            check_free_descriptor(socket)?;
        }
        return not_passed("descriptors or other control data were cut off");
    }
    let mut files = received.files.into_iter();
    match (files.next(), files.next(), files.next()) {
        (None, ..) if received.bytes == 0 => Err(Error::PeerClosed),
        (None, ..) => not_passed("a message without a descriptor"),
        (Some(_), Some(_), Some(_)) => not_passed(MORE_THAN_ONE),
        (Some(maps), root, None) => Ok((maps, root)),
        // `next` ended before.
        (Some(maps), None, Some(_)) => Ok((maps, None)),
    }
}

/// In procfs, only maps files have this name. After the process has ended, the kernel
/// appends the mark of a deleted file.
fn is_called_maps(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.strip_suffix(DELETED).unwrap_or(name) == OsStr::new("maps").as_bytes()
}

/// Fails if this process may open no more files.
fn check_free_descriptor(socket: BorrowedFd<'_>) -> Result<()> {
    let another: io::Result<OwnedFd> = socket.try_clone_to_owned();
    another
        .map(drop)
        .map_err(|error| Error::of_descriptor("receive a maps file", error))
}

/// The maps file itself, for passing it on in other ways, such as the standard input of a
/// child or a different message. If the process's first thread has ended, it is usable
/// only after a first query (see [`OpenOptions::open`]).
impl AsFd for ProcMaps {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let file: &File = self.file().file();
        file.as_fd()
    }
}
