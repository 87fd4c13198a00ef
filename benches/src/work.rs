//! How much work a call is.

use serde::Serialize;

/// Of a row of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Work {
    /// Addresses of a process.
    Process(Sizes),
    /// Addresses of a file.
    File(FileSizes),
}

/// How much a process is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// N: the VMAs that the process has.
    pub vmas: usize,
    /// K: the addresses asked for.
    pub addresses: usize,
    /// M: the VMAs that they lie in.
    pub touched: usize,
}

/// How much a file is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileSizes {
    /// Bytes of the executable and its debug file.
    pub bytes: u64,
    /// K: the addresses asked for.
    pub addresses: usize,
}

impl Work {
    /// Returns the bytes of the file; 0 of a process.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Process(_) => 0,
            Self::File(sizes) => sizes.bytes,
        }
    }

    /// Returns K: the addresses asked for.
    #[must_use]
    pub fn addresses(&self) -> usize {
        match self {
            Self::Process(sizes) => sizes.addresses,
            Self::File(sizes) => sizes.addresses,
        }
    }
}

impl From<Sizes> for Work {
    fn from(sizes: Sizes) -> Self {
        Self::Process(sizes)
    }
}

impl From<FileSizes> for Work {
    fn from(sizes: FileSizes) -> Self {
        Self::File(sizes)
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process(sizes) => write!(
                f,
                "N = {} VMAs, K = {} addresses, M = {} VMAs touched",
                sizes.vmas, sizes.addresses, sizes.touched
            ),
            Self::File(sizes) => {
                let megabytes = sizes.bytes as f64 / 1e6;
                write!(f, "{megabytes:.0} MB, K = {} addresses", sizes.addresses)
            }
        }
    }
}
