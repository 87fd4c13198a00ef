//! OpenTelemetry's profiles, `v1development`, in and out: `ProfilesData` in protobuf.
//!
//! Whatever is used more than once stands in one of seven tables of a dictionary, whose
//! first elements are zero and stand for nothing. What is written has no element twice
//! and none that nothing refers to.
//!
//! | in the model | in the file |
//! |---|---|
//! | process | a resource: `process.pid`, `process.executable.name` |
//! | sample type | a `Profile` of each resource that has samples of it |
//! | thread | attributes of samples: `thread.id`, `thread.name` |
//! | labels | attributes of samples |
//! | samples of one stack and thread | one `Sample`: values and, when asked for, times |
//! | locations, frames, mappings | as in [`pprof`](crate::pprof) |
//! | build ID | `process.executable.build_id.gnu` of the mapping |
//! | kernel or not | `profile.frame.type` of the location: `kernel`, `native` |
//! | comments | `pprof.profile.comment` of the profile |
//! | the default sample type | `pprof.scope.default_sample_type` of the scope |
//!
//! Whether addresses are virtual offsets or file offsets is said by the attribute
//! [`ADDRESSES`] of the mapping; without it a file is taken for one of another tool's,
//! whose addresses are those of a process or of whatever its mappings say.
//!
//! Not kept: what [`pprof`](crate::pprof) does not keep; locations that no sample names;
//! links to spans; of attributes, those that are neither texts nor numbers.
//!
//! Source: `opentelemetry/proto/profiles/v1development/profiles.proto` of
//! github.com/open-telemetry/opentelemetry-proto, and the semantic conventions.

mod dictionary;
mod json;
mod keys;
mod read;
mod rows;
mod write;

pub use crate::protobuf::{Error, Limits};
pub use json::is_json;
pub use keys::ADDRESSES;
pub use read::read;
pub use write::{Options, write};
