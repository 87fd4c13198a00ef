//! What a just-in-time compiler tells of its code as it makes it: `jit-PID.dump`.
//!
//! ```text
//!   header: magic in the writer's byte order, version, process, which clock
//!   records: lines of the code that comes next, code, a move of code, …, each at its time
//! ```
//!
//! Other than a map, it says when code was where: [`Timeline`] has it as of any time.
//!
//! Source: `tools/perf/Documentation/jitdump-specification.txt`.

mod code;
mod dump;
mod limits;
mod lines;
mod record;
mod timeline;

pub use code::JitCode;
pub use dump::{Error, Jitdump};
pub use limits::{JitdumpEnd, Limits};
pub use timeline::Timeline;
