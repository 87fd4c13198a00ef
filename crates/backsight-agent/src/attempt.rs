//! Whether an event can be opened at all.

use std::io;

use crate::attr::{Counted, EventAttr, flag};
use crate::cpus;
use crate::sys::{EventFd, Whom};

/// Opens an event of this thread, outside of the kernel, and closes it. Nothing is counted.
///
/// # Errors
/// Those of perf_event_open(2): whatever `perf_event_paranoid` says, a seccomp filter or a security
/// module may forbid it.
pub fn try_event() -> io::Result<()> {
    const THIS_THREAD: u32 = 0;
    let attr = EventAttr {
        counted: Counted::CpuClock,
        period: 1_000_000,
        sample_type: 0,
        flags: flag::DISABLED | flag::EXCLUDE_KERNEL | flag::EXCLUDE_HV,
        wakeup_bytes: 0,
        user_regs: 0,
        stack_bytes: 0,
    };
    let cpu = cpus::online().first().copied().unwrap_or_default();
    EventFd::open(&attr, Whom::Thread(THIS_THREAD), cpu).map(drop)
}
