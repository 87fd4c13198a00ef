//! A maps file handed to another process over a Unix socket.
//!
//! Whether a process may look into another is asked when the maps file is opened,
//! and never again. So one who may can open it, and hand it to one who may not:
//!
//! ```text
//!   privileged helper               worker of any user
//!   ProcMaps::open(pid)
//!   maps.send_over(&socket) ──────▶ ProcMaps::receive_from(&socket)
//!                                   maps.query(…), Session::new(maps, …)
//! ```
//!
//! What goes over is one byte with one descriptor (`SCM_RIGHTS`). The receiver
//! believes nothing: see [`OpenOptions::receive_from`].

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_types::AbsAddr;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::error::{Error, Result};
use crate::maps::ProcMaps;
use crate::name::DELETED;
use crate::open::OpenOptions;
use crate::query::Query;
use crate::sys;

/// A message without a payload would pass no descriptor.
const PAYLOAD: &[u8] = b"m";

/// Every process that has memory has an answer to it.
const ANY: Query = Query::covering_or_next(AbsAddr(0));

impl ProcMaps {
    /// Hands the maps file to the process at the other end of a Unix socket, which
    /// can then ask what this one can: all about the *addresses* of the process, and
    /// the build IDs. It gets no access to its memory or its files.
    ///
    /// # Errors
    /// [`Error::PeerClosed`]; [`Error::ProcessGone`] and [`Error::NotMaps`], as
    /// nothing of worth could be handed over; [`Error::Io`], as when the socket is
    /// no Unix socket or would block.
    pub fn send_over(&self, socket: impl AsFd) -> Result<()> {
        // Also lets another thread stand in, when the first one has ended.
        match self.query(ANY) {
            Ok(_) | Err(Error::Unsupported) => {}
            Err(why) => return Err(why),
        }
        let socket = socket.as_fd().as_raw_fd();
        let maps = [self.as_fd().as_raw_fd()];
        let with = [ControlMessage::ScmRights(&maps)];
        loop {
            // Writing to a closed socket must not end us by a signal.
            let flags = MsgFlags::MSG_NOSIGNAL;
            let sent = sendmsg::<()>(socket, &[IoSlice::new(PAYLOAD)], &with, flags, None);
            match sent {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => {
                    return Err(Error::PeerClosed);
                }
                Err(errno) => return Err(Error::of_descriptor("send the maps file", errno)),
            }
        }
    }

    /// Takes a maps file from the other end of a Unix socket, with the default
    /// [`OpenOptions`].
    ///
    /// # Errors
    /// As [`OpenOptions::receive_from`].
    pub fn receive_from(socket: impl AsFd) -> Result<Self> {
        OpenOptions::new().receive_from(socket)
    }
}

impl OpenOptions {
    /// Takes a maps file that [`ProcMaps::send_over`] handed over, or that came with
    /// one byte of any other program. It waits for the message, as long as the
    /// socket does. It has no [directory](ProcMaps::directory).
    ///
    /// The other end may be anybody: exactly one descriptor must come, and it must
    /// be a file called `maps` of a `/proc`. Whatever else arrives is closed again.
    /// What cannot be told is whether it is of the process that the other end says.
    ///
    /// # Errors
    /// [`Error::PeerClosed`]; [`Error::NotPassed`] and [`Error::NotMaps`] when
    /// something else came; [`Error::Io`], for one with `EMFILE` when this process
    /// may open no more files, or when the socket would block.
    pub fn receive_from(&self, socket: impl AsFd) -> Result<ProcMaps> {
        let socket = socket.as_fd();
        let mut payload = [0; PAYLOAD.len()];
        let received = match sys::receive(socket, &mut payload) {
            Ok(received) => received,
            Err(Errno::ECONNRESET | Errno::ENOTCONN) => return Err(Error::PeerClosed),
            Err(errno) => return Err(Error::of_descriptor("receive a maps file", errno)),
        };
        let not_passed = |reason| Err(Error::NotPassed { reason });
        if received.cut_off {
            if received.files.is_empty() {
                room_for_one(socket)?;
            }
            return not_passed("descriptors or other control data were cut off");
        }
        let mut files = received.files.into_iter();
        match (files.next(), files.next()) {
            (None, _) if received.bytes == 0 => Err(Error::PeerClosed),
            (None, _) => not_passed("a message without a descriptor"),
            (Some(_), Some(_)) => not_passed("more than one descriptor"),
            (Some(file), None) => self.checked(file),
        }
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
            // A sandbox without /proc: then an answer must prove it.
            Err(_) => maps.query(ANY).map(|_| maps),
        }
    }
}

/// Below `/proc` only maps files have this name. That of a process that has ended
/// is marked like a deleted file.
fn is_called_maps(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.strip_suffix(DELETED).unwrap_or(name) == OsStr::new("maps").as_bytes()
}

/// Says so when this process may open no more files.
fn room_for_one(socket: BorrowedFd<'_>) -> Result<()> {
    let another: io::Result<OwnedFd> = socket.try_clone_to_owned();
    another
        .map(drop)
        .map_err(|error| Error::of_descriptor("receive a maps file", error))
}

/// The maps file itself, to be passed on in other ways: as the standard input of a
/// child, or with a message of one's own. When the process's first thread has ended
/// it serves only after a first query (see [`OpenOptions::open`]).
impl AsFd for ProcMaps {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let file: &File = self.file().file();
        file.as_fd()
    }
}
