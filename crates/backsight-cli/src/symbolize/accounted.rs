//! A symbolizer that reports its problems when it is dropped.

use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight::{Live, LiveKernel, Lookups, ProfileSymbolizer};
use backsight_formats::ndjson::AddressLine;
use backsight_profile::Profile;
use backsight_symbolize::{IndexDir, Sought, Symbolizer};
use backsight_types::ModuleIdx;

use super::symbols::Symbols;
use crate::failure::complain;
use crate::fetchers::Fetchers;
use crate::file::Shown;
use crate::kept_indexes::report_not_written;
use crate::oversized;
use crate::shortfalls;
use crate::symbol_files::SymbolFilesFlag;
use crate::vmlinux::VmlinuxFlag;

/// Something that contains a symbolizer.
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

impl HasSymbolizer for LiveKernel {
    fn symbolizer(&self) -> &Symbolizer {
        self.symbolizer()
    }
}

/// A symbolizer that reports its problems on standard error when it is dropped.
#[derive(Debug)]
pub(crate) struct Accounted<S: HasSymbolizer = Symbolizer> {
    of: S,
    index_dir: Option<IndexDir>,
    fetchers: Fetchers,
    symbol_files: SymbolFilesFlag,
    vmlinux: VmlinuxFlag,
    verbose: bool,
    verbose_flag: &'static str,
}

impl<S: HasSymbolizer> Accounted<S> {
    /// Wraps a symbolizer that was created with the options of `symbols`.
    pub(crate) fn new(of: S, symbols: &Symbols) -> Self {
        Self {
            of,
            index_dir: symbols.index_dir.dir(),
            fetchers: symbols.fetchers().clone(),
            symbol_files: symbols.symbol_files.clone(),
            vmlinux: symbols.vmlinux.clone(),
            verbose: symbols.verbose,
            verbose_flag: symbols.verbose_flag(),
        }
    }

    /// Looks up addresses, and calls `write` with each answer and its frames, in order.
    pub(crate) fn answer<E>(
        &self,
        lookups: Lookups<'_>,
        write: impl FnMut(&AddressLine<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let symbolizer = self.of.symbolizer();
        let found = lookups.look_up(symbolizer);
        oversized::report(symbolizer, found.limited());
        found.each(write)
    }
}

impl Accounted<ProfileSymbolizer> {
    /// Looks up the locations of a whole profile, and fetches files for the modules that at
    /// least `min_percent` of its samples wait for.
    pub(crate) fn look_up_all(&mut self, profile: &mut Profile, min_percent: f64) {
        let (order, at_once) = self.fetchers.order(profile, min_percent);
        let by_path_alone = match order.is_empty() {
            true => Vec::new(),
            false => self.of.open_first(profile, &order, at_once),
        };
        report_all_by_path_alone(profile, by_path_alone);
        self.look_up(profile);
    }

    /// Looks up the new locations of a profile.
    pub(crate) fn look_up(&mut self, profile: &mut Profile) {
        let report = self.of.look_up(profile);
        report_all_by_path_alone(profile, report.by_path_alone);
        for file in &report.oversized {
            oversized::report_file(file);
        }
    }
}

fn report_all_by_path_alone(profile: &Profile, modules: Vec<ModuleIdx>) {
    for module in modules {
        if let Some(module) = profile.module(module) {
            report_by_path_alone(&module.path);
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
            report_sought(modules.flat_map(|module| symbolizer.sought(module)));
        }
        shortfalls::report(symbolizer, self.verbose_flag);
        self.symbol_files.report();
        self.vmlinux.report(symbolizer);
        report_not_written(symbolizer, self.index_dir.as_ref());
        self.fetchers.report(self.verbose);
    }
}

/// Reports a file that was accepted without proof of identity.
pub(crate) fn report_by_path_alone(path: &[u8]) {
    let name = Shown(Path::new(OsStr::from_bytes(path)));
    complain(format_args!(
        "{name}: accepted by path alone (--trust-paths)"
    ));
}

/// Reports where files were looked for, and with which result.
pub(crate) fn report_sought(all: impl Iterator<Item = Sought>) {
    for sought in all {
        let (path, kind) = (Shown(&sought.path), sought.kind.name());
        match &sought.outcome {
            Ok(()) => complain(format_args!("{path}: {kind}, used")),
            Err(error) => complain(format_args!("{path}: no {kind}: {}", error.cause())),
        }
    }
}
