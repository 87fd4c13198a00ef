//! Stops a thread for as long as copying its registers and stack takes.
//!
//! ```text
//!   PTRACE_SEIZE ──▶ PTRACE_INTERRUPT ──▶ waitid ──▶ registers, memory ──▶ PTRACE_DETACH
//! ```
//!
//! The kernel detaches the threads of a tracer that ends, and they run on: also when it is
//! killed. A tracer is a thread, so what could not be detached is when the tracing thread ends.
//! A stopped job stays stopped: the kernel knows that it was.

use std::fs::File;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::captured::CapturedThread;
use super::machine_registers;
use super::refusal::StackRefusal;
use super::stack_memory::{StackMemory, Window};

/// Why a thread could not be detached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// It did not stop in time.
    NotStopping,
    /// It stopped for a signal that has no name here, such as one of real time. The kernel
    /// delivers it when the tracing thread ends; the thread can be tried again.
    WithSignal,
    /// It ended.
    Ended,
}

/// What was copied of a thread that runs on; or of one that is still traced until the tracing
/// thread ends, why.
pub(super) type Traced = Result<Result<CapturedThread, StackRefusal>, Abandoned>;

/// Copies registers and memory of a thread. `windows` returns which memory, of a stack pointer.
pub(super) fn capture(
    tid: Pid,
    memory: &File,
    wait: Duration,
    windows: impl FnOnce(u64) -> Vec<Window>,
) -> Traced {
    if let Err(errno) = ptrace::seize(tid, ptrace::Options::empty()) {
        return Ok(Err(refusal(errno)));
    }
    let begin = Instant::now();
    if let Err(errno) = ptrace::interrupt(tid) {
        return Err(match errno {
            Errno::ESRCH => Abandoned::Ended,
            _ => Abandoned::NotStopping,
        });
    }
    let signal = wait_for_stop(tid, begin, wait)?;
    let stopped = StoppedThread { tid, signal };
    let copied = copy(tid, memory, windows);
    drop(stopped);
    Ok(copied.map(|captured| CapturedThread {
        stopped: begin.elapsed(),
        ..captured
    }))
}

fn refusal(errno: Errno) -> StackRefusal {
    match errno {
        Errno::EPERM | Errno::EACCES => StackRefusal::Denied,
        Errno::ESRCH => StackRefusal::Ended,
        other => StackRefusal::Failed(other as i32),
    }
}

/// A stopped thread, which runs on when this is dropped.
#[derive(Debug)]
struct StoppedThread {
    tid: Pid,
    /// The signal that it was about to get.
    signal: Option<Signal>,
}

impl Drop for StoppedThread {
    fn drop(&mut self) {
        // This fails only if the thread was killed meanwhile.
        let _ = ptrace::detach(self.tid, self.signal);
    }
}

fn copy(
    tid: Pid,
    memory: &File,
    windows: impl FnOnce(u64) -> Vec<Window>,
) -> Result<CapturedThread, StackRefusal> {
    let (machine, registers) = machine_registers::read(tid)?;
    let mut copied = StackMemory::default();
    let sp = registers.get(machine.stack_pointer());
    for window in windows(sp.unwrap_or_default()) {
        copied.copy(memory, window);
    }
    Ok(CapturedThread {
        machine,
        registers,
        memory: copied,
        stopped: Duration::ZERO,
    })
}

/// Waits until a thread is stopped, and returns the signal that it was about to get, if any.
///
/// The stop is looked at and not taken (`WNOWAIT`): a signal whose number has no name here is
/// then not lost.
fn wait_for_stop(tid: Pid, begin: Instant, wait: Duration) -> Result<Option<Signal>, Abandoned> {
    /// How long to wait without sleeping: a thread on another processor stops within this.
    const BUSY: Duration = Duration::from_micros(200);
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED;
    let flags = flags | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(tid), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            // A stop that was requested, or of a job, has an event; one for a signal has none.
            Ok(WaitStatus::PtraceEvent(_, signal, 0) | WaitStatus::Stopped(_, signal)) => {
                return Ok(Some(signal));
            }
            Ok(WaitStatus::PtraceEvent(..)) => return Ok(None),
            Err(Errno::EINVAL) => return Err(Abandoned::WithSignal),
            Ok(_) | Err(_) => return Err(Abandoned::Ended),
        }
        let waited = begin.elapsed();
        if waited > wait {
            return Err(Abandoned::NotStopping);
        }
        match waited < BUSY {
            true => std::thread::yield_now(),
            false => std::thread::sleep(BUSY),
        }
    }
}
