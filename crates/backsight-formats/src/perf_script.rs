//! What `perf script` prints, as a profile.
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
//! - The names are perf's and become frames; lines of source too (`-F +srcline`).
//!   Functions that the compiler folded in are marked `(inlined)` and stand before the
//!   one they were folded into.
//! - In a chain, perf prints offsets in files as addresses of user code. Where it prints
//!   one address alone, and in the kernel, it is the address.
//! - With one number before the time, perf may have printed the process or the thread;
//!   it is taken for both.
//! - Any field but the address may be missing (`-F comm,ip,sym`): what the first sample
//!   has, the others must have, so that a damaged line is not read as another layout. A
//!   name without an ID is the label `comm`; without an event samples count `samples`.
//! - Of several events, the one with the most samples is the profile's default.
//!
//! Source: `tools/perf/builtin-script.c`, `util/evsel_fprintf.c` of the kernel.

mod frame;
mod head;
mod read;
mod tables;

pub use read::{Error, is_one, read};
