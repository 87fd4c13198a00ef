//! The errors of the kernel's list of symbols.

use std::io;

/// Why the kernel's list of symbols cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KallsymsError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// All addresses are zero.
    #[error(
        "all addresses are zero, because the kernel hides them from this process \
         (kernel.kptr_restrict): run as root or with CAP_SYSLOG, with kernel.kptr_restrict at 1 \
         or less"
    )]
    Hidden,
    /// No line of it is a symbol.
    #[error("no line is a symbol of a kernel: give the text of /proc/kallsyms")]
    NoSymbols,
}
