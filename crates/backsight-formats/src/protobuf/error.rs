//! What can be wrong with a message as a whole.

use std::io;

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
    /// Unpacked, and as the model holds it, it takes more than [`Limits::memory`](crate::protobuf::Limits::memory).
    #[error("the profile takes more than the {limit} bytes of memory that it may")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}
