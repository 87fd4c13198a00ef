//! Opens an index file, and explains why one cannot be used.

use std::path::Path;

use backsight_symbolize::{IndexError, Options, SymbolIndex};

use crate::failure::WithWayOut;

/// Opens an index file; the error names the cause and the way out.
pub(crate) fn open(path: &Path) -> Result<SymbolIndex, String> {
    SymbolIndex::open(path, &Options::default()).map_err(|error| cause(&error))
}

/// Returns why a file cannot be used as an index, and the way out.
pub(crate) fn cause(error: &IndexError) -> String {
    match error {
        IndexError::NotAnIndex => format!("{error}: `backsight index build FILE` makes one"),
        // Whoever asks says which file it is.
        IndexError::File(error) => WithWayOut(&error.error().clone().into()).to_string(),
        other => other.to_string(),
    }
}
