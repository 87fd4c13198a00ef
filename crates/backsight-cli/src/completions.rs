//! `backsight completions`: what a shell needs to complete our command lines.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::Backsight;
use crate::failure::{Done, Result};

/// Print the completions of a shell
///
/// For bash, once:
/// `backsight completions bash > ~/.local/share/bash-completion/completions/backsight`
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let mut text = Vec::new();
        // Into memory first: it panics where it cannot write.
        clap_complete::generate(self.shell, &mut visible(), "backsight", &mut text);
        out.write_all(&text)?;
        Ok(Done::Fully)
    }
}

/// Returns the command without what is hidden: completions would offer it.
fn visible() -> Command {
    let whole = Backsight::command();
    let shown = whole.get_subcommands().filter(|it| !it.is_hide_set());
    Command::new("backsight")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(shown.cloned())
}
