//! `backsight index show`: prints the contents of an index by size.

use std::io::Write;
use std::path::PathBuf;

use super::listing;
use crate::args::Format;
use crate::failure::{Done, Failure, Result};
use crate::file::Shown;
use crate::index_file;

/// Print which module an index belongs to, and the size of its tables
///
/// Only the header is read; `index verify` reads everything.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// An index file
    #[arg(value_name = "FILE.index")]
    file: PathBuf,

    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Show {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let index = index_file::open(&self.file);
        let index = index.map_err(|cause| Failure::of(Shown(&self.file), cause))?;
        listing::begin(out, self.format)?;
        listing::write(out, self.format, &self.file, &index)?;
        Ok(Done::Fully)
    }
}
