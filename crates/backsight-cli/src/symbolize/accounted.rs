//! A symbolizer that says in the end what it could not do.

use std::ops::Deref;

use backsight_symbolize::{IndexDir, Options, Symbolizer};

use crate::kept_indexes::say_not_written;

/// A symbolizer, and what is said on standard error when the last was asked of it.
#[derive(Debug)]
pub(crate) struct Accounted {
    symbolizer: Symbolizer,
    index_dir: Option<IndexDir>,
}

impl Accounted {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            index_dir: options.index_dir.clone(),
            symbolizer: Symbolizer::new(options),
        }
    }
}

impl Deref for Accounted {
    type Target = Symbolizer;

    fn deref(&self) -> &Symbolizer {
        &self.symbolizer
    }
}

impl Drop for Accounted {
    fn drop(&mut self) {
        say_not_written(&self.symbolizer, self.index_dir.as_ref());
    }
}
