//! `jit-PID.dump`: the log that a just-in-time compiler writes of the code that it makes.
//!
//! ```text
//!   header: magic number in the writer's byte order, version, process ID, clock
//!   records: line numbers of the next code, loaded code, moved code, …, each with its time
//! ```
//!
//! Unlike `perf-PID.map`, it says when code was at an address. [`Timeline`] gives the code at any
//! time.
//!
//! Source: `tools/perf/Documentation/jitdump-specification.txt`.

mod code;
mod dump;
mod limits;
mod line_rows;
mod lines;
mod record;
mod timeline;

pub use code::JitCode;
pub use dump::{Error, Jitdump};
pub use limits::{JitdumpEnd, Limits};
pub use timeline::Timeline;
