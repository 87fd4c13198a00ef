//! Debug information that was not found, or is damaged, is named, each file once.

use std::collections::HashSet;
use std::path::Path;

use backsight_symbolize::{Shortfall, ShortfallKind, Symbolizer};

use crate::failure::complain;
use crate::file::Shown;

/// Says what answers of this symbolizer lack.
pub(crate) fn say(symbolizer: &Symbolizer) {
    let modules = symbolizer.module_ids().into_iter();
    say_all(modules.flat_map(|module| symbolizer.shortfalls(module)));
}

/// Says each of these once.
pub(crate) fn say_all(all: impl Iterator<Item = Shortfall>) {
    let mut said = HashSet::new();
    for shortfall in all {
        if !said.insert(shortfall.clone()) {
            continue;
        }
        let (path, kind) = (shortfall.path, shortfall.kind);
        let path = path
            .as_deref()
            .unwrap_or(Path::new("a module without a path"));
        match kind {
            ShortfallKind::Missing => {
                complain(format_args!(
                    "{}: {kind} (-v says where it was looked for)",
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
