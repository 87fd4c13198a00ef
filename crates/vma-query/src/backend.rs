//! The two ways to the same answers, and which of them an open process uses.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use backsight_types::AbsAddr;

use crate::{Query, ioctl};

/// How VMAs are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    let maps = File::open("/proc/self/maps").ok()?;
    let any = Query::covering_or_next(AbsAddr(0));
    let answers = ioctl::ask(&maps, any).is_ok();
    if !answers {
        REFUSES.store(true, Ordering::Relaxed);
    }
    Some(answers)
}
