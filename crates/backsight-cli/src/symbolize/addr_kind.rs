//! The kind of address in a file.

use clap::ValueEnum;

/// The kind of address in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddrKindArg {
    /// An ELF virtual address, as nm and objdump print it
    #[default]
    Virtual,
    /// An offset in the file
    Offset,
}
