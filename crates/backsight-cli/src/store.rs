//! `backsight store`: keeps executables, debug files and symbol files by build ID.

mod add;
mod gc;
mod ls;
mod store_flag;
mod text;

use std::io::Write;

use crate::failure::Result;

/// Keep executables, debug files and symbol files by build ID
///
/// A store keeps what an update or a new build would replace, so that old recordings can still be
/// symbolized. All commands look for files in the default store; another one is used as
/// `backsight symbolize --debug-dir DIR --symbols DIR` does. gdb (set debug-file-directory DIR),
/// elfutils and LLVM read the same layout: DIR/.build-id/xx/rest and rest.debug.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreCommand {
    #[command(subcommand)]
    action: StoreAction,
}

#[derive(Debug, clap::Subcommand)]
enum StoreAction {
    Add(add::Add),
    Ls(ls::Ls),
    Gc(gc::Gc),
}

impl StoreCommand {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        match self.action {
            StoreAction::Add(add) => add.run(out),
            StoreAction::Ls(ls) => ls.run(out),
            StoreAction::Gc(gc) => gc.run(out),
        }
    }
}
