//! Reports debug information that was not found or is damaged, each file once.

use std::collections::HashSet;
use std::path::Path;

use backsight_symbolize::{Shortfall, ShortfallKind, Symbolizer};

use crate::failure::complain;
use crate::file::Shown;

/// Reports what this symbolizer's answers lack.
pub(crate) fn report(symbolizer: &Symbolizer) {
    let modules = symbolizer.module_ids().into_iter();
    report_all(modules.flat_map(|module| symbolizer.shortfalls(module)));
}

/// Reports each of these once.
pub(crate) fn report_all(all: impl Iterator<Item = Shortfall>) {
    let mut reported = HashSet::new();
    for shortfall in all {
        if !reported.insert(shortfall.clone()) {
            continue;
        }
        let (path, kind) = (shortfall.path, shortfall.kind);
        let path = path
            .as_deref()
            .unwrap_or(Path::new("a module without a path"));
        match kind {
            ShortfallKind::Missing => {
                complain(format_args!(
                    "{}: {kind} (-v shows where it was looked for)",
                    Shown(path)
                ));
            }
            ShortfallKind::DamagedSymbols => {
                complain(format_args!(
                    "{}: {kind} (-v says what is wrong)",
                    Shown(path)
                ));
            }
            _ => complain(format_args!("{}: {kind}", Shown(path))),
        }
    }
}
