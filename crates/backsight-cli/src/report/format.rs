//! The formats of reports.

use clap::ValueEnum;

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Text for reading
    #[default]
    Text,
    /// One JSON object a line (NDJSON): a header, then the rows
    Json,
    /// Comma-separated values, with a line of names
    Csv,
}
