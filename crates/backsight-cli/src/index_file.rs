//! Opens an index file, and explains why one cannot be used.

use std::path::Path;

use backsight_symbolize::{IndexCause, IndexError, Options, SymbolIndex};

use crate::failure::WithWayOut;

/// Opens an index file; the error names the cause and the way out.
pub(crate) fn open(path: &Path) -> Result<SymbolIndex, String> {
    SymbolIndex::open(path, &Options::default()).map_err(|error| cause(&error))
}

/// Returns why a file cannot be used as an index, and the way out.
pub(crate) fn cause(error: &IndexError) -> String {
    // Whoever asks says which file it is.
    match error.cause() {
        cause @ IndexCause::NotAnIndex => {
            format!("{cause}: `backsight index build FILE` makes one")
        }
        IndexCause::File(error) => WithWayOut(&error.clone().into()).to_string(),
        other => other.to_string(),
    }
}
