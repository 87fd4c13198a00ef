//! Why a profile in protobuf cannot be read.

use std::io;

/// Why a profile cannot be read. The error has no path: the reader gets an input and not a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading the input failed.
    #[error(transparent)]
    Io(io::Error),
    /// The input is not in this format, or is damaged or cut off.
    #[error("damaged, or not a profile in this format: {reason}, at byte {offset}")]
    Malformed {
        /// The offset of the damage, in bytes of the decompressed input.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The decompressed message and the [`Profile`](backsight_profile::Profile) together need more
    /// than [`Limits::memory`](crate::protobuf::Limits::memory).
    #[error("the profile needs more than the {limit} bytes of memory that it may take")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}
