//! A directory of indexes that commands share.

use std::path::PathBuf;

use backsight_symbolize::IndexDir;

use crate::args::parse_size;

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
    /// Returns the directory, if one is named.
    pub(crate) fn dir(&self) -> Option<IndexDir> {
        let path = self.index_dir.clone()?;
        Some(IndexDir {
            path,
            max_bytes: self.index_dir_size,
        })
    }
}
