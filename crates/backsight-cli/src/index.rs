//! `backsight index`: all that debug files say of a module, in one file.

mod build;
mod listing;
mod show;
mod verify;

use std::io::Write;

use crate::failure::Result;

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
