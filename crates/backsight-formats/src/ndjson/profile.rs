//! Whole profiles as lines.
//!
//! ```text
//! {"type":"header","schema_version":1,"tool":"backsight 0.1.0"}
//! {"type":"profile","sample_types":[{"kind":"cpu-clock","unit":"nanoseconds"}]}
//! {"type":"process","index":0,"pid":123,"name":"survey"}
//! {"type":"thread","index":0,"process":0,"tid":124}
//! {"type":"module","index":0,"path":"/usr/bin/survey",…}
//! {"type":"mapping","pid":123,"process":0,"start":"0x55…",…,"module":0,"time_ns":7}
//! {"type":"address","index":0,"module":0,"file_offset":"0x1234",…}
//! {"type":"sample","pid":123,"tid":124,"thread":0,"time_ns":9,"values":[1],"stack":[0]}
//! ```
//!
//! - A line precedes the first line that refers to it, so that a stream can be processed as it
//!   arrives. Each location has one line of type `address`, even if samples of several processes
//!   refer to it.
//! - `sample.stack` has the indices of these lines, counted from 0, innermost first. Each of them
//!   states its `index`, so that a lost line does not shift the others.
//! - Indices are valid within a capture. A header starts a new capture, and several captures can
//!   follow each other in a stream.
//! - Other attributes of a module or location are lines of type `attribute` after its line:
//!   `{"type":"attribute","module":0,"key":"…","text":"…"}`, or with `"address":7`, the index of a
//!   line of type `address`.
//! - If more becomes known of a process, thread or module, or of the profile, its line is written
//!   again with the new contents.

mod labels;
pub(super) mod lines;
mod places;
mod read;
mod write;

pub use lines::{
    AttributeLine, JsonLabel, JsonPeriod, JsonValueType, ProcessLine, ProfileLine, ThreadLine,
};
pub use read::{ProfileReader, read_profile};
pub use write::{ProfileWriter, write_profile};
