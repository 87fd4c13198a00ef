//! Why something of the DWARF is not to be had.

/// Why something of the DWARF is not to be had.
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
