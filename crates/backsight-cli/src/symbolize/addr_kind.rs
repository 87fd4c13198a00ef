//! What an address of a file is.

use clap::ValueEnum;

/// What an address of a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddrKind {
    /// An ELF virtual offset, as nm and objdump print it
    #[default]
    Virtual,
    /// A byte of the file
    Offset,
}
