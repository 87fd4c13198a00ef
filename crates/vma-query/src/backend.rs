//! The two ways to the same answers, and which of them an open process uses.

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
    /// The ioctl, or the text where the kernel does not answer it.
    #[default]
    Auto,
    /// `PROCMAP_QUERY` alone, Linux 6.11 and later.
    Ioctl,
    /// The text of `/proc/PID/maps` alone.
    Text,
}

/// The backend of one open maps file: chosen once, by its first real query.
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

    /// Returns whether the text is to be read.
    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TEXT
    }

    /// Returns the backend in use; `Auto` as long as nothing was asked.
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

    /// Says what a refusal of the ioctl means for this file.
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

/// What a refused ioctl means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The kernel knows the ioctl: the fault lies with this file or question.
    ThisFileAlone,
    /// The kernel does not know it, and the caller wanted nothing else.
    Unsupported,
    /// The kernel does not know it: the text is read from now on.
    UseText,
}

/// Returns whether the ioctl works on this process's own maps: old kernels, gVisor,
/// qemu's user mode and seccomp filters refuse it with one errno or another, so any
/// failure counts as a no. `None` when those maps cannot be opened, for want of
/// descriptors or of `/proc`: then this file is read by text, and the next asks again.
///
/// Asked until the first no. A yes may become a no: a sandbox takes system calls
/// away in the middle of a life, but never gives one back.
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

/// What a kernel says to `PROCMAP_QUERY`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Probe {
    /// It answers.
    Answers,
    /// It does not, or something before it refuses: the error has the errno. Linux
    /// before 6.11 and gVisor say `ENOTTY`, seccomp filters what they like, most often
    /// `EPERM` or `ENOSYS`.
    Refused(io::Error),
}

/// Asks whether the ioctl works on this process's own maps, now: one open and one query.
///
/// [`Backend::Auto`] needs none of this, and reads the text where the ioctl is refused;
/// this is for those who want to tell why.
///
/// # Errors
/// As [`OpenOptions::open_self`](crate::OpenOptions::open_self), when those maps cannot be
/// opened: then nothing is known of the ioctl.
pub fn probe() -> Result<Probe> {
    let maps = File::open(OWN).map_err(|error| Error::from_open(Some(OWN.into()), error))?;
    let any = Query::covering_or_next(AbsAddr(0));
    Ok(match ioctl::ask(&maps, any) {
        Ok(_) => Probe::Answers,
        Err(no) => Probe::Refused(no.errno().into()),
    })
}
