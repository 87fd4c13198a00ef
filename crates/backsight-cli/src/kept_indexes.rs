//! A directory of indexes that commands share.

use std::path::{Path, PathBuf};

use backsight_symbolize::{IndexDir, IndexError, Symbolizer};

use crate::args::parse_size;
use crate::failure::complain;
use crate::file::Shown;
use crate::index_file;

/// Where indexes are kept from one run to the next.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct KeptIndexes {
    /// Keep indexes in this directory, by build ID: a module whose index is there needs
    /// no debug files, and one of which enough is asked leaves its index there
    #[arg(long, value_name = "DIR")]
    index_dir: Option<PathBuf>,

    /// The bytes that they may take together; those that were not used for longest go
    #[arg(long, value_name = "BYTES", default_value = "4G", value_parser = parse_size)]
    #[arg(requires = "index_dir")]
    index_dir_size: u64,
}

impl KeptIndexes {
    /// Says why the directory cannot be used, if it cannot. All is answered without it.
    pub(crate) fn check(&self) {
        let Some(dir) = self.dir() else {
            return;
        };
        if let Err(error) = dir.check() {
            say(
                &dir.path,
                format_args!("not used: {}", index_file::cause(&error)),
            );
        }
    }

    /// Returns the directory, if one is named.
    pub(crate) fn dir(&self) -> Option<IndexDir> {
        let path = self.index_dir.clone()?;
        Some(IndexDir::new(path, self.index_dir_size))
    }
}

/// Says why indexes were not written that should have been: once, however many.
pub(crate) fn say_not_written(symbolizer: &Symbolizer, dir: Option<&IndexDir>) {
    // Whose directory it is was said before.
    let mut errors = symbolizer.index_errors();
    errors.retain(|error| *error != IndexError::NotOurs);
    if let (Some(dir), Some(first)) = (dir, errors.first()) {
        let (count, cause) = (errors.len(), index_file::cause(first));
        let indexes = if count == 1 { "index" } else { "indexes" };
        let what = format_args!("{count} {indexes} could not be written: {cause}");
        say(&dir.path, what);
    }
}

fn say(dir: &Path, what: std::fmt::Arguments<'_>) {
    complain(format_args!("--index-dir {}: {what}", Shown(dir)));
}
