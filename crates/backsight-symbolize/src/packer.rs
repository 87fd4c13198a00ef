//! The programs whose output is unpacked by code in C, which a build may lack.

use std::fmt;

/// A program that packs files, or sections of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packer {
    /// xz. Read with the feature `xz`.
    Xz,
    /// Zstandard. Read with the feature `zstd`.
    Zstd,
}

impl Packer {
    /// Whether this build has a decoder for it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Xz => cfg!(feature = "xz"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }
}

/// Its name, which is that of the feature, too.
impl fmt::Display for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}
