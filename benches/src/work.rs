//! The amount of work per call.

use serde::Serialize;

/// The sizes of a process or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Work {
    /// Addresses of a process.
    Process(Sizes),
    /// Addresses of a file.
    File(FileSizes),
}

/// The sizes of a normalization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// N: the VMAs of the process.
    pub vmas: usize,
    /// K: the addresses.
    pub addresses: usize,
    /// M: the VMAs that contain them.
    pub touched: usize,
}

/// The sizes of a symbolization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileSizes {
    /// The size of the executable and its debug file in bytes.
    pub bytes: u64,
    /// K: the addresses.
    pub addresses: usize,
}

impl Work {
    /// Returns the size of the file in bytes; 0 for a process.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Process(_) => 0,
            Self::File(sizes) => sizes.bytes,
        }
    }

    /// Returns K: the number of addresses.
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
