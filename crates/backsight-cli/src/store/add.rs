//! `backsight store add`: adds files and directories to the store.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use backsight_store::{AddOptions, AddOutcome, Store, StoreError};

use super::store_flag::StoreFlag;
use super::text::{Id, cause, failed, files, message};
use crate::failure::{Done, Result, complain};
use crate::file::Shown;
use crate::not_elf;
use crate::progress::Progress;

/// Add files to the store, each under its own build ID
///
/// Executables, libraries, kernel modules and debug files are added under the build ID that they
/// have, GSYM files under that of their header, Breakpad files under their debug ID. An
/// executable with DWARF gets the name of its debug file, too. A file that is there already is
/// not replaced. At the end, it is counted what became of the files; a file that was named and
/// could not be added is reported on standard error, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// Files, and directories whose files are added with those of their subdirectories. Symbolic
    /// links in a directory are not followed, and other filesystems not entered
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    store: StoreFlag,

    /// Make hard links instead of copies, for files on the filesystem of the store that nobody
    /// else can change. What is written into such a file later changes the store's, too
    #[arg(long)]
    link: bool,

    /// Print a line also for what is not added of a directory: other files and links
    #[arg(short, long)]
    verbose: bool,
}

impl Add {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let store = self.store.store()?;
        let options = AddOptions::default().with_link(self.link);
        let mut counts = AddCounts::default();
        let mut written = Ok(());
        for named in &self.paths {
            let progress = Progress::step("adding to the store");
            let added = store.add(named, &options, &mut |path, outcome| {
                let shown = SourceEntry {
                    path,
                    is_named: path == named,
                    verbose: self.verbose,
                };
                if written.is_ok() {
                    written = counts.take(&store, &shown, &outcome, out);
                }
            });
            drop(progress);
            added.map_err(|error| failed(&error))?;
        }
        written?;
        writeln!(out, "{}", counts.summary())?;
        match counts.has_failed {
            true => Ok(Done::InPart),
            false => Ok(Done::Fully),
        }
    }
}

/// A file, and how much is said of it.
struct SourceEntry<'e> {
    path: &'e Path,
    /// Whether the user named the file itself.
    is_named: bool,
    verbose: bool,
}

/// What became of the files.
#[derive(Debug, Default)]
struct AddCounts {
    added: u64,
    added_bytes: u64,
    linked: u64,
    there: u64,
    without_build_id: u64,
    not_recognized: u64,
    empty: u64,
    links: u64,
    not_regular: u64,
    other_filesystems: u64,
    failed: u64,
    has_failed: bool,
}

impl AddCounts {
    fn take(
        &mut self,
        store: &Store,
        entry: &SourceEntry<'_>,
        outcome: &AddOutcome,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let path = Shown(entry.path);
        let count = match outcome {
            AddOutcome::Added { file, is_linked } => {
                self.added_bytes = self.added_bytes.saturating_add(file.bytes);
                if *is_linked {
                    self.linked += 1;
                }
                self.added += 1;
                let (id, kind) = (Id(file), file.kind);
                return writeln!(out, "added    {id}  {kind:<10}  {path}");
            }
            AddOutcome::AlreadyThere(at) => {
                self.there += 1;
                let at = at.strip_prefix(store.path()).unwrap_or(at);
                return writeln!(out, "present  {}  {path}", Shown(at));
            }
            AddOutcome::NoBuildId => &mut self.without_build_id,
            AddOutcome::NotRecognized => &mut self.not_recognized,
            AddOutcome::Empty => &mut self.empty,
            AddOutcome::Link => &mut self.links,
            AddOutcome::NotRegular(_) => &mut self.not_regular,
            AddOutcome::OtherFilesystem => &mut self.other_filesystems,
            _ => &mut self.failed,
        };
        *count += 1;
        let is_failure = match outcome {
            AddOutcome::Failed(_) => true,
            _ => entry.is_named,
        };
        let is_told = matches!(
            outcome,
            AddOutcome::NoBuildId | AddOutcome::Empty | AddOutcome::OtherFilesystem
        );
        self.has_failed |= is_failure;
        if is_failure || is_told || entry.verbose {
            // Flush, so that results and messages appear in the order of the files.
            out.flush()?;
            match outcome {
                AddOutcome::Failed(error) => {
                    complain(format_args!("{path}: {}", of_file(error, entry.path)))
                }
                AddOutcome::NotRecognized if entry.is_named => {
                    let what = not_elf::of_path(entry.path);
                    let what = what.map(|what| format!(", but {what}"));
                    complain(format_args!(
                        "{path}: {outcome}{}",
                        what.unwrap_or_default()
                    ));
                }
                outcome => complain(format_args!("{path}: {outcome}")),
            }
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let mut text = format!("{} added, {} bytes", files(self.added), self.added_bytes);
        let others = [
            (self.linked, "of these linked"),
            (self.there, "already there"),
            (self.without_build_id, "without build ID"),
            (self.empty, "with neither code nor symbols"),
            (self.not_recognized, "neither ELF nor symbol files"),
            (self.links, "symbolic links, not followed"),
            (self.not_regular, "FIFOs, devices and sockets"),
            (self.other_filesystems, "other filesystems, not entered"),
            (self.failed, "failed"),
        ];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            text.push_str(&format!("; {count} {what}"));
        }
        text
    }
}

/// Returns why a file could not be added; with the path of another file that was at fault.
fn of_file(error: &StoreError, path: &Path) -> String {
    match error {
        StoreError::File(error_of) if error_of.path().is_none_or(|other| other == path) => {
            cause(error)
        }
        other => message(other),
    }
}
