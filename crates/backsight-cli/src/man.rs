//! `backsight man`: prints manual pages, generated from the same texts as `--help`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap_mangen::Man as Roff;
use clap_mangen::roff::{self, roman};

use crate::failure::{Done, Failure, Result};
use crate::file::Shown;
use crate::guide;
use crate::tool::TOOL;

/// Print manual pages
///
/// Without --out, all pages are printed as roff, one after the other: `backsight man | man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Print only the page of this subcommand
    #[arg(value_name = "SUBCOMMAND")]
    subcommand: Option<String>,

    /// Write the pages to this directory, as backsight.1, backsight-maps.1, …
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    /// Writes the pages of the command `whole`.
    pub(crate) fn run(self, whole: clap::Command, out: &mut impl Write) -> Result {
        let mut pages = pages(whole);
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

/// One manual page.
struct Page {
    /// The subcommand as typed, or `backsight`.
    name: String,
    roff: Roff,
}

impl Page {
    fn get_filename(&self) -> String {
        self.roff.get_filename()
    }

    /// Writes the page in ASCII: roff needs escapes for all other characters.
    fn render(&self, out: &mut impl Write) -> io::Result<()> {
        let (mut page, roff) = (Vec::new(), &self.roff);
        roff.render_title(&mut page)?;
        roff.render_name_section(&mut page)?;
        roff.render_synopsis_section(&mut page)?;
        roff.render_description_section(&mut page)?;
        roff.render_options_section(&mut page)?;
        if matches!(&*self.name, "backsight" | "index" | "store") {
            roff.render_subcommands_section(&mut page)?;
        }
        self.guide().to_writer(&mut page)?;
        if self.name == "backsight" {
            roff.render_version_section(&mut page)?;
        }
        let text = String::from_utf8_lossy(&page);
        text.chars().try_for_each(|letter| match letter {
            '\0'..='\x7f' => write!(out, "{letter}"),
            other => write!(out, "\\[u{:04X}]", u32::from(other)),
        })
    }

    /// Returns the sections for examples, exit status, files and see also.
    fn guide(&self) -> roff::Roff {
        let mut page = roff::Roff::new();
        let sections = guide::of(&self.name).map(guide::Guide::sections);
        for (heading, rows) in sections.unwrap_or_default() {
            let heading = heading.to_uppercase();
            page.control("SH", [&*heading]);
            for (term, text) in rows {
                page.control("TP", []);
                page.text([roman(term)]);
                page.text([roman(text)]);
            }
        }
        page
    }
}

/// Returns the page of the command, then those of its subcommands.
fn pages(whole: clap::Command) -> Vec<Page> {
    let whole = whole.disable_help_subcommand(true);
    let mut whole = whole.mut_subcommands(|it| it.disable_help_subcommand(true));
    // Prefixes subcommand names: backsight-maps, backsight-index-build.
    whole.build();
    let mut pages = vec![page("backsight".to_owned(), whole.clone())];
    for command in whole.get_subcommands().filter(|it| !it.is_hide_set()) {
        let name = command.get_name().to_owned();
        pages.push(page(name.clone(), command.clone()));
        let below = command.get_subcommands();
        pages.extend(below.map(|it| page(format!("{name} {}", it.get_name()), it.clone())));
    }
    pages
}

fn page(name: String, command: clap::Command) -> Page {
    let roff = Roff::new(command).source(TOOL).manual("backsight");
    Page { name, roff }
}
