//! The flag for symbol files (GSYM, Breakpad's), and what is said of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use backsight_symbolize::{Cause, Error, SymbolFiles};

use crate::failure::{Done, complain, note_failed_in_use};
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

    /// The store whose symbol files are used, too.
    #[arg(skip)]
    store: OnceLock<PathBuf>,

    #[arg(skip)]
    files: OnceLock<Arc<SymbolFiles>>,

    /// How many problems were reported at the start.
    #[arg(skip)]
    reported: OnceLock<usize>,
}

impl SymbolFilesFlag {
    /// Returns the files, if any were named or there is a store.
    pub(crate) fn files(&self) -> Option<&Arc<SymbolFiles>> {
        let store = self.store.get();
        let make = || {
            let files = SymbolFiles::new(&self.paths);
            Arc::new(match store {
                Some(store) => files.with_store(store),
                None => files,
            })
        };
        let is_any = !self.paths.is_empty() || store.is_some();
        is_any.then(|| self.files.get_or_init(make))
    }

    /// Whether any were named.
    pub(crate) fn are_named(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Uses the symbol files of this store, too. This must be called before the first file is
    /// looked for.
    pub(crate) fn use_store(&self, store: Option<PathBuf>) {
        if let Some(store) = store {
            // It is the same one each time.
            let _ = self.store.set(store);
        }
    }

    /// Reports paths that cannot be used. The others are. A file of a named directory that
    /// cannot be used is reported, too, and is no failure: the directory may be a server's.
    pub(crate) fn check(&self) -> Done {
        // A store is read when the first file is looked for.
        let files = self.files().filter(|_| self.are_named());
        let problems = files.map(|files| files.problems()).unwrap_or_default();
        report(&problems);
        // The first check counts.
        let _ = self.reported.set(problems.len());
        match problems.iter().any(|problem| self.is_named(problem)) {
            true => Done::InPart,
            false => Done::Fully,
        }
    }

    /// Whether the user named the file, or the other one of two that claim one build.
    fn is_named(&self, problem: &Error) -> bool {
        let other = match problem.cause() {
            Cause::Ambiguous { other } => Some(other.as_path()),
            _ => None,
        };
        let paths = problem.path().into_iter().chain(other);
        let mut named = paths.filter(|path| self.paths.iter().any(|named| named == path));
        named.next().is_some()
    }

    /// Reports why files were not used.
    pub(crate) fn report(&self) {
        // Nothing was looked up.
        let Some(files) = self.files.get() else {
            return;
        };
        let reported = self.reported.get().copied().unwrap_or(0);
        let problems = files.problems();
        let new = problems.get(reported..).unwrap_or_default();
        report(new);
        if new
            .iter()
            .any(|problem| self.is_named(problem) && is_failure(problem))
        {
            note_failed_in_use();
        }
        let others = files.other_problems();
        if others > 0 {
            complain(format_args!(
                "--symbols: {others} more problems with symbol files are not listed"
            ));
        }
        report(&files.unused());
    }
}

/// Whether a file that was named cannot be used: it is damaged, or contradicts another one of its
/// build, so that neither is. One that another one takes the place of is no failure, nor one of
/// another build.
fn is_failure(problem: &Error) -> bool {
    !matches!(
        problem.cause(),
        Cause::LessProven { .. } | Cause::OtherBuild { .. }
    )
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
