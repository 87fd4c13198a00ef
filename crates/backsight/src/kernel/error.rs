//! Why nothing is known of the running kernel.

use backsight_files::FileError;
use backsight_symbolize::KallsymsError;

/// Why nothing is known of the running kernel. The text names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Its list of symbols cannot be opened.
    #[error("{0}: without the kernel's list of symbols nothing is known of its addresses")]
    List(#[from] FileError),
    /// Its list of symbols cannot be used: all addresses are hidden, for example.
    #[error(transparent)]
    Symbols(#[from] backsight_types::FileError<KallsymsError>),
}
