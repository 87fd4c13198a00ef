//! Reads the output of `perf script`.
//!
//! ```text
//! survey  8137/8140 [001] 28296.545590:     500000 cpu-clock:
//! <TAB>    1146 aim (inlined)
//! <TAB>    1146 read+0xd (/usr/bin/survey)
//!   survey.rs:33
//! <TAB>ffffffff821ef691 do_syscall_64+0x71 ([kernel.kallsyms])
//!
//! survey  8137 28296.546090:     500000 cpu-clock:      564141f51206 aim+0xd (/usr/bin/survey)
//! ```
//!
//! - Functions that perf printed become frames, and so do source lines (`-F +srcline`). Inlined
//!   functions are marked `(inlined)` and precede the function they were inlined into.
//! - In a call chain, perf prints file offsets for user code. In the kernel, and for a sample
//!   without a call chain, it prints addresses.
//! - A single number before the time can be the process ID or the thread ID; it is used for both.
//! - Any field except the address can be missing (`-F comm,ip,sym`). All samples must have the
//!   fields of the first one, so that a damaged line is not read as a different layout. A name
//!   without an ID becomes the label `comm`. Without an event, samples count `samples`.
//! - Of several events, the one with the most samples is the profile's default.
//!
//! Source: `tools/perf/builtin-script.c`, `util/evsel_fprintf.c` of the kernel.

mod frame;
mod head;
mod read;
mod recognize;
mod tables;

pub use read::{Error, read};
pub use recognize::is_one;
