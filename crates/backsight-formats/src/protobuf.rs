//! Reads protobuf messages within a memory budget; shared by the formats that use protobuf.

mod error;
mod input;
mod limits;
mod wire;

pub use error::Error;
pub use limits::Limits;

pub(crate) use input::MemoryBudget;
#[cfg(feature = "pprof")]
pub(crate) use input::unpack;
#[cfg(feature = "otlp")]
pub(crate) use input::unpack_as;
pub(crate) use wire::{MessageFields, Value, decode, varint};
