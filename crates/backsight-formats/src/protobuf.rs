//! Reads files within a memory budget, and protobuf messages; shared by the formats that are read as
//! a whole.

mod error;
mod input;
mod limits;
#[cfg(any(feature = "otlp", feature = "perfetto", feature = "pprof"))]
mod wire;

pub use error::Error;
pub use limits::Limits;

pub(crate) use input::MemoryBudget;
#[cfg(feature = "pprof")]
pub(crate) use input::unpack;
#[cfg(any(feature = "json-profiles", feature = "otlp"))]
pub(crate) use input::unpack_as;
#[cfg(any(feature = "otlp", feature = "pprof"))]
pub(crate) use wire::decode;
#[cfg(any(feature = "otlp", feature = "perfetto", feature = "pprof"))]
pub(crate) use wire::{MessageFields, Value, varint};
