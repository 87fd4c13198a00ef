//! `backsight man`: manual pages, made of the same words as `--help`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::failure::{Done, Failure, Result};
use crate::file::Shown;
use crate::{Backsight, TOOL};

/// Print manual pages
///
/// Without a folder all pages come one after the other, as roff:
/// `backsight man | man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The page of this subcommand alone
    #[arg(value_name = "SUBCOMMAND")]
    subcommand: Option<String>,

    /// Write the pages into this folder, as backsight.1, backsight-maps.1, …
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let mut pages = pages();
        if let Some(wanted) = &self.subcommand {
            let name = format!("backsight-{wanted}");
            pages.retain(|page| page.get_filename() == format!("{name}.1"));
            if pages.is_empty() {
                let message = format!(
                    "no subcommand {wanted:?} has a page; `backsight --help` lists them all"
                );
                return Err(Failure::Usage(message));
            }
        }
        let Some(dir) = self.out else {
            for page in pages {
                page.render(out)?;
            }
            return Ok(Done::Fully);
        };
        let failed = |path: &PathBuf, error: io::Error| Failure::io(Shown(path), &error);
        fs::create_dir_all(&dir).map_err(|error| failed(&dir, error))?;
        for page in pages {
            let path = dir.join(page.get_filename());
            let mut roff = Vec::new();
            page.render(&mut roff)?;
            fs::write(&path, roff).map_err(|error| failed(&path, error))?;
        }
        Ok(Done::Fully)
    }
}

/// Returns the page of the command, then those of its subcommands.
fn pages() -> Vec<Page> {
    let command = Backsight::command().disable_help_subcommand(true);
    let mut command = command.mut_subcommands(|it| it.disable_help_subcommand(true));
    // Names subcommands after the command: backsight-maps, backsight-index-build.
    command.build();
    let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
    let shown = shown.flat_map(|it| std::iter::once(it).chain(it.get_subcommands()));
    let subcommands: Vec<_> = shown.cloned().collect();
    let all = std::iter::once(command).chain(subcommands);
    all.map(|it| Page::new(it).source(TOOL).manual("backsight"))
        .collect()
}
