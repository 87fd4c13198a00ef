//! Names of code that was made at run time: lists that just-in-time compilers write.
//!
//! ```text
//!   /tmp/perf-PID.map ──▶ whose, and of when? ──▶ names, by address
//! ```
//!
//! Anybody may write to `/tmp`, and a number is used by many processes. So a list counts
//! only if its owner may say what the process runs, and if it can be of that process.

pub(crate) mod anonymous_name;
pub(crate) mod dump_file;
pub(crate) mod found;
pub(crate) mod held_maps;
mod jit_frame;
pub(crate) mod jitted;
pub(crate) mod live;
pub(crate) mod live_dump;
pub(crate) mod options;
pub(crate) mod process;
pub(crate) mod said;
pub(crate) mod stack_code;
