//! The flags for a directory of indexes that is shared between runs.

use std::path::{Path, PathBuf};

use backsight_symbolize::{IndexCause, IndexDir, Symbolizer};

use crate::args::parse_size;
use crate::failure::{Done, complain};
use crate::file::Shown;
use crate::index_file;

/// Where indexes are kept between runs.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct KeptIndexes {
    /// Keep indexes in this directory, by build ID: a module with an index there needs no debug
    /// files, and a module with enough lookups gets its index written there
    #[arg(long, value_name = "DIR")]
    index_dir: Option<PathBuf>,

    /// The total size of the indexes; the least recently used ones are removed first
    #[arg(long, value_name = "BYTES", default_value = "4G", value_parser = parse_size)]
    #[arg(requires = "index_dir")]
    index_dir_size: u64,
}

impl KeptIndexes {
    /// Reports why the directory cannot be used, if so. Lookups then work without it.
    pub(crate) fn check(&self) -> Done {
        let Some(dir) = self.dir() else {
            return Done::Fully;
        };
        // It is created when the first index is written.
        let checked = dir.check().map_err(|error| index_file::cause(&error));
        let checked = checked.and_then(|()| match dir.path.metadata() {
            Ok(metadata) if !metadata.is_dir() => Err("not a directory".to_owned()),
            _ => Ok(()),
        });
        match checked {
            Ok(()) => Done::Fully,
            Err(cause) => {
                report(&dir.path, format_args!("not used: {cause}"));
                Done::InPart
            }
        }
    }

    /// Returns the directory, if one is given.
    pub(crate) fn dir(&self) -> Option<IndexDir> {
        let path = self.index_dir.clone()?;
        Some(IndexDir::new(path, self.index_dir_size))
    }
}

/// Reports indexes that could not be written, in one message.
pub(crate) fn report_not_written(symbolizer: &Symbolizer, dir: Option<&IndexDir>) {
    // `check` has already reported a directory with another owner.
    let mut errors = symbolizer.index_errors();
    errors.retain(|error| *error.cause() != IndexCause::NotOurs);
    if let (Some(dir), Some(first)) = (dir, errors.first()) {
        let (count, cause) = (errors.len(), index_file::cause(first));
        let indexes = if count == 1 { "index" } else { "indexes" };
        let what = format_args!("{count} {indexes} could not be written: {cause}");
        report(&dir.path, what);
    }
}

fn report(dir: &Path, what: std::fmt::Arguments<'_>) {
    complain(format_args!("--index-dir {}: {what}", Shown(dir)));
}
