//! The flags of the commands that list rows of profiles.

use std::io::Write;

use super::by::ByArg;
use super::format::ReportFormat;
use super::read_flags::ReadFlags;
use crate::failure::Result;
use crate::fitted_lines::FittedLines;
use crate::pager;
use crate::screen::Screen;

/// Rows that are shown as text.
const DEFAULT_ROWS: usize = 40;

/// Which profile is read, and how its rows are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct TableFlags {
    /// What a row is [default: function]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) by: Option<ByArg>,

    /// Show so many rows [default: 40 as text, otherwise all]
    #[arg(short = 'n', long = "rows", value_name = "COUNT")]
    pub(crate) rows: Option<usize>,

    /// The format of the output [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<ReportFormat>,

    /// Do not show long text in a pager
    #[arg(long)]
    no_pager: bool,

    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

impl TableFlags {
    /// Returns what a row is.
    pub(crate) fn by(&self) -> ByArg {
        self.by.unwrap_or_default()
    }

    /// Returns the format of the output.
    pub(crate) fn format(&self) -> ReportFormat {
        self.format.unwrap_or_default()
    }

    /// Returns how many rows are shown.
    pub(crate) fn limit(&self) -> usize {
        self.rows.unwrap_or(match self.format() {
            ReportFormat::Text => DEFAULT_ROWS,
            _ => usize::MAX,
        })
    }

    /// Shows what `write` writes: text for the terminal, in a pager if it is long; otherwise as it
    /// comes.
    pub(crate) fn show<W: Write>(
        &self,
        out: &mut W,
        write: impl FnOnce(&Screen, &mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        if self.format() != ReportFormat::Text {
            return write(&Screen::default(), out);
        }
        let screen = Screen::of_stdout();
        let mut text = Vec::new();
        let mut lines = FittedLines::new(&screen, &mut text);
        write(&screen, &mut lines)?;
        lines.flush()?;
        pager::show(&text, &screen, !self.no_pager, out)
    }
}
