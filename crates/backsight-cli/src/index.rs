//! `backsight index`: all that debug files say of a module, in one file.

mod build;
mod listing;
mod show;
mod verify;

use std::io::Write;
use std::path::Path;

use backsight_symbolize::{Error, IndexError, Options, SymbolIndex};

use crate::failure::{Cause, Result};
use crate::file::open_regular;

/// Make and look into symbol indexes: what debug files say, as sorted tables
///
/// An index holds all that lookups need of the debug files that it was made of, and
/// the build ID of the module it is for. An index of another version of backsight may
/// have to be built again. `backsight symbolize --index-dir DIR` looks symbols up in
/// the indexes that are kept in DIR.
#[derive(Debug, clap::Args)]
pub(crate) struct Index {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Build(build::Build),
    Show(show::Show),
    Verify(verify::Verify),
}

impl Index {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        match self.action {
            Action::Build(build) => build.run(out),
            Action::Show(show) => show.run(out),
            Action::Verify(verify) => verify.run(out),
        }
    }
}

/// Opens an index file, or returns why not and the way out.
fn open(path: &Path) -> Result<SymbolIndex, String> {
    // The symbolizer tells the kind of an error alone; this one has its number, and
    // so the way out.
    open_regular(path).map_err(|error| Cause(&error).to_string())?;
    SymbolIndex::open(path, &Options::default()).map_err(|error| cause(&error))
}

/// Says why a file does not serve as an index, and the way out.
pub(crate) fn cause(error: &IndexError) -> String {
    match error {
        IndexError::NotAnIndex => format!("{error}: `backsight index build FILE` makes one"),
        IndexError::File(Error::Io(kind)) => std::io::Error::from(*kind).to_string(),
        other => other.to_string(),
    }
}
