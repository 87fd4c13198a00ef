//! The process that the demo inspects: it has a known call chain.
//!
//! ```text
//! run ▶ survey ▶ station ▶ aim (inlined) ▶ read_clock ▶ Instant::now ▶ libc ▶ vDSO
//! ```

use std::hint::black_box;
use std::time::Instant;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};

use crate::failure::{Done, Failure, Result};

/// Lets the parent trace this process, and calls down the chain. The innermost function stops
/// the process, and the parent takes over.
#[inline(never)]
pub(crate) fn run() -> Result {
    // Nothing else would end this process if the parent dies.
    let traced = set_pdeathsig(Signal::SIGKILL).and_then(|()| ptrace::traceme());
    traced.map_err(|errno| {
        Failure::of(
            "the demo's child may not be traced",
            format_args!(
                "{}: set kernel.yama.ptrace_scope to 2 or less, or start the container \
                 with --cap-add SYS_PTRACE",
                errno.desc()
            ),
        )
    })?;
    black_box(survey(black_box(2)));
    Ok(Done::Fully)
}

// Each function of the chain does something after its call. Otherwise it would be a tail call,
// which leaves no frame on the stack.

#[inline(never)]
fn survey(points: u64) -> u64 {
    let angle = station(points);
    black_box(angle).wrapping_add(points)
}

#[inline(never)]
fn station(point: u64) -> u64 {
    let angle = aim(point);
    black_box(angle).rotate_left(1)
}

#[inline(always)]
fn aim(point: u64) -> u64 {
    let time = read_clock(black_box(point));
    black_box(time) ^ point
}

#[inline(never)]
fn read_clock(point: u64) -> u64 {
    // From here on, the parent single-steps.
    if raise(Signal::SIGSTOP).is_err() {
        return point;
    }
    let begin = black_box(Instant::now());
    black_box(begin).elapsed().as_secs().wrapping_add(point)
}
