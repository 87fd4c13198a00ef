//! `backsight index`: builds and inspects symbol indexes.

mod build;
mod listing;
mod show;
mod verify;

use std::io::Write;

use crate::failure::Result;

/// Build and inspect symbol indexes: the symbols of a module as sorted tables
///
/// An index holds all that lookups need from a module's debug files, and the module's build ID.
/// After an update of backsight, indexes may have to be rebuilt. `backsight symbolize
/// --index-dir DIR` uses the indexes in DIR.
#[derive(Debug, clap::Args)]
pub(crate) struct Index {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Build(Box<build::Build>),
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
