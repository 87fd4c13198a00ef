//! Why a part of the DWARF cannot be read.

/// Why a part of the DWARF cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It contradicts itself, ends too early, or is of a kind we do not read.
    Malformed,
    /// A limit was reached.
    Limit,
}

impl From<gimli::Error> for Fault {
    fn from(_: gimli::Error) -> Self {
        Self::Malformed
    }
}
