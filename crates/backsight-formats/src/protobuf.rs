//! What the formats share that are messages of protobuf: unpacking, and the budget of
//! memory.

mod input;
mod wire;

use std::io;

#[cfg(feature = "otlp")]
pub(crate) use input::unpack_as;
pub(crate) use input::{Budget, unpack};
pub(crate) use wire::{Fields, Value, decode, varint};

/// A profile that could not be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be read.
    #[error("cannot read the profile: {0}")]
    Io(#[source] io::Error),
    /// It is no such file, or a damaged one.
    #[error("not a profile in this format: {reason}, at byte {offset}")]
    Malformed {
        /// Where, counted in bytes of the unpacked message.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Unpacked, and as the model holds it, it takes more than [`Limits::memory`].
    #[error("the profile takes more than the {limit} bytes of memory that it may")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

/// What a hostile file may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most memory that the unpacked message and what becomes of it may take
    /// together, in bytes, counted to within a factor of two.
    pub memory: u64,
}

impl Default for Limits {
    /// One GiB.
    fn default() -> Self {
        Self { memory: 1 << 30 }
    }
}
