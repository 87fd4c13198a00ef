//! Why a profile cannot be read.

use std::io;

/// Why a profile cannot be read. The error has no path: the reader gets an input and not a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading the input failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The input is in none of these formats, or its first lines are damaged.
    #[error("not a profile of gperftools, tcmalloc, jemalloc or Go: {0}")]
    Malformed(&'static str),
}
