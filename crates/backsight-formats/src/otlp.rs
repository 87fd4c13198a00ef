//! OpenTelemetry's profiles, `v1development`: `ProfilesData` in protobuf, read and written.
//!
//! Items that can be referred to more than once are in the seven tables of a dictionary. The first
//! element of each table has only default values and means "none". The writer writes each element
//! once, and only elements that something refers to.
//!
//! | in the model | in the file |
//! |---|---|
//! | process | a resource: `process.pid`, `process.executable.name` |
//! | sample type | a `Profile` in each resource that has samples of it |
//! | thread | attributes of samples: `thread.id`, `thread.name` |
//! | labels | attributes of samples |
//! | samples with the same stack and thread | one `Sample` with values and, if requested, times |
//! | locations, frames, mappings | as in [`pprof`](crate::pprof) |
//! | build ID | `process.executable.build_id.gnu` of the mapping |
//! | kernel or not | `profile.frame.type` of the location: `kernel`, `native` |
//! | comments | `pprof.profile.comment` of the profile |
//! | the default sample type | `pprof.scope.default_sample_type` of the scope |
//!
//! The attribute [`ADDRESSES`] of a mapping says whether its addresses are virtual offsets or file
//! offsets. Without it, the file is by another tool: addresses are those of a process, and file
//! offsets are computed from the mapping.
//!
//! Not kept: what [`pprof`](crate::pprof) does not keep; locations that no sample refers to; links to
//! spans. Attributes that are neither texts nor numbers are read as JSON texts.
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
