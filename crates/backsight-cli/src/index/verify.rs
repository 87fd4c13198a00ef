//! `backsight index verify`: checks index files for damage.

use std::io::Write;
use std::path::{Path, PathBuf};

use backsight_symbolize::SymbolIndex;

use super::listing::{self, Summary};
use crate::args::Format;
use crate::failure::{Done, Result, complain};
use crate::file::Shown;
use crate::index_file;

/// Check index files for damage, and print a line for each sound one
///
/// Checks checksums, the order of all rows, and that every reference of a row is valid. A file
/// that is damaged or cannot be read is reported on standard error with the cause, and the exit
/// code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Index files
    #[arg(required = true, value_name = "FILE.index")]
    files: Vec<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Verify {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        listing::begin(out, self.format)?;
        let mut done = Done::Fully;
        for path in &self.files {
            match read(path) {
                Ok(index) => match self.format {
                    Format::Text => writeln!(out, "{}  sound", Summary(path, &index))?,
                    Format::Json => listing::write(out, self.format, path, &index)?,
                },
                Err(cause) => {
                    // Flush, so that results and messages appear in the order of the files.
                    out.flush()?;
                    complain(format_args!("{}: {cause}", Shown(path)));
                    done = Done::InPart;
                }
            }
        }
        Ok(done)
    }
}

fn read(path: &Path) -> Result<SymbolIndex, String> {
    let index = index_file::open(path)?;
    index.verify().map_err(|error| index_file::cause(&error))?;
    Ok(index)
}
