//! Go's own line table among a module's files: when it is asked, and what is said of it.

use std::sync::Arc;

use super::LoadedFiles;
use crate::damage_reporter::DamageReporter;
use crate::go_lines::{GoLines, release_of};
use crate::go_program::GoProgram;
use crate::options::Options;

impl LoadedFiles {
    /// Returns the line table of a Go program, if debug information says nothing of Go.
    pub(super) fn go(&self, options: &Arc<Options>) -> Option<&GoLines> {
        let open = || {
            let reporter = DamageReporter::new(&self.path, &self.log);
            let go = GoLines::open(self.own.as_ref().ok()?, reporter)?;
            if let Some(Ok(dwarf)) = self.dwarf(options) {
                let mut entries = go.some_entries().into_iter();
                if entries.any(|entry| !dwarf.find(entry).levels.is_empty()) {
                    return None;
                }
            }
            go.report_table();
            Some(go)
        };
        self.go.get_or_init(open).as_ref()
    }

    /// Returns what the module's own file tells of Go.
    pub(crate) fn go_program(&self, options: &Arc<Options>) -> Option<GoProgram> {
        let own = self.own.as_ref().ok()?;
        let used = self.go(options).map(GoLines::functions);
        let unused = || Some(GoLines::open(own, DamageReporter::default())?.functions());
        let release = release_of(own).map(str::to_owned);
        let functions = used.or_else(unused);
        (release.is_some() || functions.is_some()).then_some(GoProgram {
            release,
            functions,
            is_named_by_table: used.is_some(),
        })
    }
}
