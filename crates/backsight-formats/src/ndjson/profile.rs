//! A profile as lines, and lines as a profile.
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
//! - A line stands before the first that names it, so that both sides can work on a
//!   stream. Each place of code has one line of type `address`, however many samples
//!   name it, and whatever process they are of.
//! - `sample.stack` counts these lines from 0, innermost first. They say their number
//!   themselves (`index`), so that one that is lost moves no other.
//! - Indexes are per capture: a header begins them anew, and captures can follow each
//!   other in one stream.
//! - What else is known of a module or of a place stands in lines of type `attribute`,
//!   behind theirs: `{"type":"attribute","module":0,"key":"…","text":"…"}`, or with
//!   `"address":7`, the number of that line.
//! - A process, thread or module of which more became known has another line, and so has
//!   the profile itself.

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
