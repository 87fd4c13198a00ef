//! The flag for symbol files (GSYM, Breakpad's), and what is said of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use backsight_symbolize::{Error, SymbolFiles};

use crate::failure::{Done, complain};
use crate::file::Shown;
use crate::not_elf;

/// Symbol files that the user named.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SymbolFilesFlag {
    /// A symbol file in GSYM or Breakpad's format, or a directory with files *.gsym and
    /// *.sym or with NAME/DEBUG_ID/NAME.sym; may be given several times. A file is used only
    /// for the module whose build ID it has, where the module's own files have no function or
    /// no line
    #[arg(long = "symbols", value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[arg(skip)]
    files: OnceLock<Arc<SymbolFiles>>,

    /// How many problems were reported at the start.
    #[arg(skip)]
    reported: OnceLock<usize>,
}

impl SymbolFilesFlag {
    /// Returns the files, if any were named.
    pub(crate) fn files(&self) -> Option<&Arc<SymbolFiles>> {
        let make = || Arc::new(SymbolFiles::new(&self.paths));
        (!self.paths.is_empty()).then(|| self.files.get_or_init(make))
    }

    /// Reports paths that cannot be used. The others are. A file of a named directory that
    /// cannot be used is reported, too, and is no failure: the directory may be a server's.
    pub(crate) fn check(&self) -> Done {
        let problems = self.files().map(|files| files.problems());
        let problems = problems.unwrap_or_default();
        report(&problems);
        // The first check counts.
        let _ = self.reported.set(problems.len());
        let is_named = |problem: &Error| {
            let path = problem.path();
            path.is_some_and(|path| self.paths.iter().any(|named| named == path))
        };
        match problems.iter().any(is_named) {
            true => Done::InPart,
            false => Done::Fully,
        }
    }

    /// Reports why files were not used.
    pub(crate) fn report(&self) {
        // Nothing was looked up.
        let Some(files) = self.files.get() else {
            return;
        };
        let reported = self.reported.get().copied().unwrap_or(0);
        let problems = files.problems();
        report(problems.get(reported..).unwrap_or_default());
        let others = files.other_problems();
        if others > 0 {
            complain(format_args!(
                "--symbols: {others} more problems with symbol files are not listed"
            ));
        }
        report(&files.unused());
    }
}

fn report(problems: &[Error]) {
    for problem in problems {
        let path = problem.path().unwrap_or(Path::new(""));
        complain(format_args!(
            "--symbols {}: {}",
            Shown(path),
            not_elf::of_symbols(problem.cause(), path)
        ));
    }
}
