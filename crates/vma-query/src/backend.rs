//! The two backends, ioctl and text, and which of them an open process uses.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use backsight_types::AbsAddr;

use crate::error::{Error, Result};
use crate::ioctl;
use crate::query::Query;

/// How VMAs are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The ioctl; the text if the kernel refuses the ioctl.
    #[default]
    Auto,
    /// Only `PROCMAP_QUERY`, which needs Linux 6.11 or later.
    Ioctl,
    /// Only the text of `/proc/PID/maps`.
    Text,
}

/// The backend of one open maps file. Its first query chooses it.
#[derive(Debug)]
pub(crate) struct Choice(AtomicU8);

/// This process's own maps.
const OWN: &str = "/proc/self/maps";

const UNDECIDED: u8 = 0;
const IOCTL: u8 = 1;
const TEXT: u8 = 2;
const IOCTL_FORCED: u8 = 3;

impl Choice {
    pub(crate) fn new(wanted: Backend) -> Self {
        Self(AtomicU8::new(match wanted {
            Backend::Auto => UNDECIDED,
            Backend::Ioctl => IOCTL_FORCED,
            Backend::Text => TEXT,
        }))
    }

    /// Returns whether queries read the text.
    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TEXT
    }

    /// Returns the backend in use, or `Auto` before the first query.
    pub(crate) fn in_use(&self) -> Backend {
        match self.0.load(Ordering::Relaxed) {
            UNDECIDED => Backend::Auto,
            TEXT => Backend::Text,
            _ => Backend::Ioctl,
        }
    }

    /// Records that the ioctl answered.
    #[inline]
    pub(crate) fn ioctl_answered(&self) {
        if self.0.load(Ordering::Relaxed) == UNDECIDED {
            self.0.store(IOCTL, Ordering::Relaxed);
        }
    }

    /// Decides what to do after the ioctl was refused on this file.
    pub(crate) fn ioctl_refused(&self) -> Refusal {
        if kernel_answers() == Some(true) {
            return Refusal::ThisFileAlone;
        }
        if self.0.load(Ordering::Relaxed) == IOCTL_FORCED {
            return Refusal::Unsupported;
        }
        self.0.store(TEXT, Ordering::Relaxed);
        Refusal::UseText
    }
}

/// What to do after a refused ioctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The kernel supports the ioctl: the cause is this file or this query.
    ThisFileAlone,
    /// The kernel does not support it, and the caller allowed no other backend.
    Unsupported,
    /// The kernel does not support it: the text is read from now on.
    UseText,
}

/// Returns whether the ioctl works on this process's own maps. Old kernels, gVisor,
/// qemu's user mode and seccomp filters refuse it with different errnos, so any failure
/// means that it does not. Returns `None` if those maps cannot be opened, because no
/// descriptors are left or `/proc` is not mounted. Then the current file is read by text,
/// and the next file probes again.
///
/// A refusal is remembered, a success is not: a sandbox may forbid system calls while a
/// process runs, but it never allows them again.
fn kernel_answers() -> Option<bool> {
    static REFUSES: AtomicBool = AtomicBool::new(false);
    if REFUSES.load(Ordering::Relaxed) {
        return Some(false);
    }
    let answers = matches!(probe().ok()?, Probe::Answers);
    if !answers {
        REFUSES.store(true, Ordering::Relaxed);
    }
    Some(answers)
}

/// Whether the kernel answers `PROCMAP_QUERY`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Probe {
    /// The ioctl works.
    Answers,
    /// The kernel or a seccomp filter refuses it; the error has the errno. Linux before
    /// 6.11 and gVisor return `ENOTTY`. Seccomp filters choose any errno, most often
    /// `EPERM` or `ENOSYS`.
    Refused(io::Error),
}

/// Tests whether the ioctl works now, on this process's own maps: one open and one query.
///
/// [`Backend::Auto`] does not need it: it reads the text if the ioctl is refused. Use
/// this to report why the ioctl is refused.
///
/// # Errors
/// As [`OpenOptions::open_self`](crate::OpenOptions::open_self), when those maps cannot
/// be opened. Then it is unknown whether the ioctl works.
pub fn probe() -> Result<Probe> {
    let maps = File::open(OWN).map_err(|error| Error::from_open(Some(OWN.into()), error))?;
    let any = Query::covering_or_next(AbsAddr(0));
    Ok(match ioctl::ask(&maps, any) {
        Ok(_) => Probe::Answers,
        Err(no) => Probe::Refused(no.errno().into()),
    })
}
