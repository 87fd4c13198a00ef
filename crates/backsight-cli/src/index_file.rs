//! A file that is to be an index, and why one does not serve.

use std::path::Path;

use backsight_files::Error;
use backsight_symbolize::{IndexError, Options, SymbolIndex};

use crate::failure::Cause;

/// Opens an index file, or returns why not and the way out.
pub(crate) fn open(path: &Path) -> Result<SymbolIndex, String> {
    SymbolIndex::open(path, &Options::default()).map_err(|error| cause(&error))
}

/// Says why a file does not serve as an index, and the way out.
pub(crate) fn cause(error: &IndexError) -> String {
    match error {
        IndexError::NotAnIndex => format!("{error}: `backsight index build FILE` makes one"),
        IndexError::File(Error::Io(error)) => Cause(&(*error).into()).to_string(),
        other => other.to_string(),
    }
}
