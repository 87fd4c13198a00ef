//! Reports debug information that was not found or is damaged, each file once.

use std::collections::HashSet;
use std::path::Path;

use backsight_symbolize::{Shortfall, ShortfallKind, Sought, Symbolizer};

use crate::failure::complain;
use crate::file::Shown;

/// Reports what this symbolizer's answers lack; `verbose` is the flag that shows more.
pub(crate) fn report(symbolizer: &Symbolizer, verbose: &'static str) {
    let mut reports = ReportOnce::new(verbose);
    for module in symbolizer.module_ids() {
        let shortfalls = symbolizer.shortfalls(module);
        if !shortfalls.is_empty() {
            reports.report(shortfalls.into_iter(), &symbolizer.sought(module));
        }
    }
}

/// Reports each shortfall once.
#[derive(Debug)]
pub(crate) struct ReportOnce {
    reported: HashSet<Shortfall>,
    /// The flag that shows more.
    verbose: &'static str,
}

impl ReportOnce {
    /// Nothing was reported yet.
    pub(crate) fn new(verbose: &'static str) -> Self {
        Self {
            reported: HashSet::new(),
            verbose,
        }
    }

    /// Reports each of these that is new; `sought` has why files were refused.
    pub(crate) fn report(&mut self, all: impl Iterator<Item = Shortfall>, sought: &[Sought]) {
        let verbose = self.verbose;
        for shortfall in all {
            if !self.reported.insert(shortfall.clone()) {
                continue;
            }
            let kind = shortfall.kind;
            let path = shortfall.path.as_deref();
            let path = path.unwrap_or(Path::new("a module without a path"));
            let shown = Shown(path);
            match kind {
                ShortfallKind::Missing => {
                    complain(format_args!(
                        "{shown}: {kind} ({verbose} shows where it was looked for)"
                    ));
                }
                ShortfallKind::DamagedSymbols => {
                    complain(format_args!(
                        "{shown}: {kind} ({verbose} says what is wrong)"
                    ));
                }
                ShortfallKind::Refused => {
                    let mut sought = sought.iter().filter(|sought| sought.path == path);
                    match sought.find_map(|sought| sought.outcome.as_ref().err()) {
                        Some(why) => {
                            complain(format_args!("{shown}: refused: {}: {kind}", why.cause()))
                        }
                        None => complain(format_args!("{shown}: refused: {kind}")),
                    }
                }
                _ => complain(format_args!("{shown}: {kind}")),
            }
        }
    }
}
