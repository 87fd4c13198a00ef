//! A symbolizer that says in the end what it could not do.

use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight::{Live, Lookups, ProfileSymbolizer};
use backsight_formats::ndjson::AddressLine;
use backsight_profile::Profile;
use backsight_symbolize::{IndexDir, Sought, Symbolizer};

use super::symbols::Symbols;
use crate::failure::complain;
use crate::file::Shown;
use crate::kept_indexes::say_not_written;
use crate::oversized;
use crate::shortfalls;

/// What has a symbolizer in it.
pub(crate) trait HasSymbolizer {
    fn symbolizer(&self) -> &Symbolizer;
}

impl HasSymbolizer for Symbolizer {
    fn symbolizer(&self) -> &Symbolizer {
        self
    }
}

impl HasSymbolizer for ProfileSymbolizer {
    fn symbolizer(&self) -> &Symbolizer {
        self.symbolizer()
    }
}

impl HasSymbolizer for Live {
    fn symbolizer(&self) -> &Symbolizer {
        self.symbolizer()
    }
}

/// A symbolizer, and what is said on standard error when the last was asked of it.
#[derive(Debug)]
pub(crate) struct Accounted<S: HasSymbolizer = Symbolizer> {
    of: S,
    index_dir: Option<IndexDir>,
    verbose: bool,
}

impl<S: HasSymbolizer> Accounted<S> {
    /// Takes what was made with these options.
    pub(crate) fn new(of: S, symbols: &Symbols) -> Self {
        Self {
            of,
            index_dir: symbols.index_dir.dir(),
            verbose: symbols.verbose,
        }
    }

    /// Looks all of them up, and gives each with its frames to `write`, in order.
    pub(crate) fn answer<E>(
        &self,
        lookups: Lookups<'_>,
        write: impl FnMut(&AddressLine<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let symbolizer = self.of.symbolizer();
        let found = lookups.look_up(symbolizer);
        oversized::say(symbolizer, found.limited());
        found.each(write)
    }
}

impl Accounted<ProfileSymbolizer> {
    /// Looks the new places of a profile up.
    pub(crate) fn look_up(&mut self, profile: &mut Profile) {
        let came_of_it = self.of.look_up(profile);
        for module in came_of_it.by_path_alone {
            if let Some(module) = profile.module(module) {
                say_by_path_alone(&module.path);
            }
        }
        for file in &came_of_it.oversized {
            oversized::say_file(file);
        }
    }
}

impl<S: HasSymbolizer> Deref for Accounted<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.of
    }
}

impl<S: HasSymbolizer> DerefMut for Accounted<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.of
    }
}

impl<S: HasSymbolizer> Drop for Accounted<S> {
    fn drop(&mut self) {
        let symbolizer = self.of.symbolizer();
        if self.verbose {
            let modules = symbolizer.module_ids().into_iter();
            say_sought(modules.flat_map(|module| symbolizer.sought(module)));
        }
        shortfalls::say(symbolizer);
        say_not_written(symbolizer, self.index_dir.as_ref());
    }
}

/// Says that nothing proved a file to be the right one.
pub(crate) fn say_by_path_alone(path: &[u8]) {
    let name = Shown(Path::new(OsStr::from_bytes(path)));
    complain(format_args!(
        "{name}: taken by its path alone (--trust-paths)"
    ));
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
