//! A symbolizer that says in the end what it could not do.

use std::ops::Deref;

use backsight_symbolize::{IndexDir, Options, Sought, Symbolizer};

use crate::failure::complain;
use crate::file::Shown;
use crate::kept_indexes::say_not_written;

/// A symbolizer, and what is said on standard error when the last was asked of it.
#[derive(Debug)]
pub(crate) struct Accounted {
    symbolizer: Symbolizer,
    index_dir: Option<IndexDir>,
    verbose: bool,
}

impl Accounted {
    pub(crate) fn new(options: Options, verbose: bool) -> Self {
        Self {
            index_dir: options.index_dir.clone(),
            symbolizer: Symbolizer::new(options),
            verbose,
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
        if self.verbose {
            let modules = self.symbolizer.module_ids().into_iter();
            say_sought(modules.flat_map(|module| self.symbolizer.sought(module)));
        }
        say_not_written(&self.symbolizer, self.index_dir.as_ref());
    }
}

/// Says where files were looked for, and what came of it.
pub(crate) fn say_sought(all: impl Iterator<Item = Sought>) {
    for sought in all {
        let (path, kind) = (Shown(&sought.path), sought.kind.name());
        match &sought.outcome {
            Ok(()) => complain(format_args!("{path}: {kind}, taken")),
            Err(error) => complain(format_args!("{path}: no {kind}: {error}")),
        }
    }
}
