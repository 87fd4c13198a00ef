//! Why a profile cannot be read at all.

use std::io;

/// A profile that could not be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be read.
    #[error("cannot read the profile: {0}")]
    Io(#[from] io::Error),
    /// It is none of these profiles, or its beginning is damaged.
    #[error("not a profile of this kind: {0}")]
    Malformed(&'static str),
}
