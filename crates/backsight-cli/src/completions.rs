//! `backsight completions`: prints a shell's completion script.

use std::io::Write;

use clap::Command;
use clap_complete::Shell;

use crate::failure::{Done, Result};

/// Print the completion script of a shell
///
/// To install for bash: `backsight completions bash >
/// ~/.local/share/bash-completion/completions/backsight`
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Writes the completion script for the command `whole`.
    pub(crate) fn run(self, whole: Command, out: &mut impl Write) -> Result {
        let mut text = Vec::new();
        // Generate into memory first: the generator panics if it cannot write.
        clap_complete::generate(self.shell, &mut visible(&whole), "backsight", &mut text);
        out.write_all(with_pids(self.shell, &String::from_utf8_lossy(&text)).as_bytes())?;
        Ok(Done::Fully)
    }
}

/// Returns the command without hidden subcommands, which completions would otherwise offer.
fn visible(whole: &Command) -> Command {
    let shown = whole.get_subcommands().filter(|it| !it.is_hide_set());
    Command::new("backsight")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(shown.cloned())
}

/// Makes the shell offer running processes where a process ID is expected. The generator
/// supports only files and fixed words.
fn with_pids(shell: Shell, script: &str) -> String {
    let mut of_pid = false;
    let lines = script.lines().map(|line| match shell {
        Shell::Bash => {
            let offers = line.trim_start().strip_prefix("COMPREPLY=");
            let ours = of_pid && offers.is_some();
            of_pid = matches!(line.trim(), "--pid)" | "-p)");
            match ours {
                true => line.replace(
                    "$(compgen -f \"${cur}\")",
                    "$(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"${cur}\")",
                ),
                false => line.to_owned(),
            }
        }
        Shell::Zsh => line.replace("]:PID:_default", "]:PID:_pids"),
        Shell::Fish if line.contains(" -l pid ") => {
            let before = line.strip_suffix(" -r").unwrap_or(line);
            format!("{before} -x -a \"(__fish_complete_pids)\"")
        }
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}
