//! `backsight annotate`: the source lines and instructions of a function, with their samples.
//!
//! ```text
//!   input ──▶ Profile ──▶ FunctionShares ──┬─ source file ──▶ lines        ──▶ text | NDJSON
//!                                          └─ module file ──▶ instructions ──▶
//! ```

mod code_part;
mod gaps;
mod listing;
mod records;
mod shown_rows;
mod source_file;
mod source_part;
mod text;
mod wanted;

use std::io::Write;
use std::path::PathBuf;

use backsight_report::FunctionShares;

use crate::args::Format;
use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::fitted_lines::FittedLines;
use crate::pager;
use crate::report::{Measured, ReadFlags, ReadProfile, ShownProfile};
use crate::screen::Screen;

use listing::FunctionListing;
use shown_rows::ShownRows;
use source_file::SourceFiles;
use wanted::WantedFunction;

/// So many functions are shown as text.
const MAX_SHOWN: usize = 10;

/// Show the source lines and instructions of a function, with the samples of each
///
/// Takes every input of `convert`, and filters as it does. `self` is the share of samples that
/// were taken on a line or instruction, `total` that of samples in whose stack it is. A sample in
/// an inlined function counts for the line of that function, and in `total` for the line that
/// calls it; an instruction has all samples that were taken on it, whatever was inlined there.
#[derive(Debug, clap::Args)]
pub(crate) struct Annotate {
    /// The input file; `-` is standard input
    #[arg(value_name = "FILE", default_value = "perf.data")]
    input: PathBuf,

    /// The function: its name, with or without arguments and what stands before it, or else a
    /// regular expression [default: the one with most samples of its own]
    #[arg(value_name = "FUNCTION")]
    wanted: Option<String>,

    /// Show source lines alone
    #[arg(long, conflicts_with = "asm")]
    source: bool,

    /// Show instructions alone
    #[arg(long)]
    asm: bool,

    /// Show the hottest lines and instructions alone, so many of each function
    #[arg(short = 'n', long = "rows", value_name = "COUNT")]
    rows: Option<usize>,

    /// Show all lines and instructions of the function, also those far from any sample
    #[arg(long, conflicts_with = "rows")]
    whole: bool,

    /// A directory with source files, which is looked in first: for the whole path that the debug
    /// information names, then without its first directories; may be given several times. Files
    /// that are nowhere come from servers, with --debuginfod
    #[arg(long, value_name = "DIR")]
    source_dir: Vec<PathBuf>,

    /// The format of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,

    /// Do not show long text in a pager
    #[arg(long)]
    no_pager: bool,

    #[command(flatten)]
    read: ReadFlags,
}

impl Annotate {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let checked = self.read.start()?;
        let ReadProfile {
            mut profile,
            value,
            malformed,
            unfiltered,
        } = self.read.read(&self.input, true)?;
        let wanted = WantedFunction::new(self.wanted.as_deref(), &self.read, &unfiltered);
        let inlines = self.read.inlines();
        let chosen = wanted.choose(&profile, value);
        let chosen = chosen.map_err(|cause| Failure::of(Shown(&self.input), cause))?;
        let (whole, mut found) =
            FunctionShares::of(&profile, value, inlines, |entry| chosen.contains(entry));
        let view = ShownRows {
            has_source: !self.asm,
            has_code: !self.source,
            rows: self.rows,
            is_whole: self.whole,
        };
        let more = match self.format {
            Format::Text => found.len().saturating_sub(MAX_SHOWN),
            Format::Json => 0,
        };
        found.truncate(found.len().saturating_sub(more));
        let files = self.read.files_of(&self.input);
        let mut sources = SourceFiles::new(&self.source_dir, &files, self.read.fetchers());
        let mut listings = Vec::new();
        for of in found {
            let has_symbols = self.read.has_symbols();
            let listing =
                FunctionListing::of(of, &mut profile, &files, &mut sources, view, has_symbols);
            listings.push(listing);
        }
        let shows = ShownProfile {
            profile: &profile,
            value,
            input: &self.input,
            measured: Measured::of(&profile, value),
        };
        match self.format {
            Format::Json => records::write(&shows, whole, &listings, view, out)?,
            Format::Text => {
                let screen = Screen::of_stdout();
                let mut text = Vec::new();
                let mut lines = FittedLines::new(&screen, &mut text);
                text::write(&shows, whole, &listings, view, &screen, &mut lines)?;
                if more > 0 {
                    writeln!(lines, "{more} more functions match: name one of them")?;
                }
                lines.flush()?;
                pager::show(&text, &screen, !self.no_pager, out)?;
            }
        }
        Ok(self.read.done(malformed, checked))
    }
}
