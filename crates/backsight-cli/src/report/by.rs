//! What a row of a report is, as a flag.

use backsight_report::RowKind;
use clap::ValueEnum;

/// What a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ByArg {
    /// A function in a module
    #[default]
    Function,
    /// A file, the kernel, or memory without a file
    Module,
    /// A line of source code
    Line,
    /// A thread
    Thread,
    /// A process
    Process,
    /// An event, or another value of the samples
    Event,
}

impl ByArg {
    /// Returns the word for it on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        self.of_rows().map_or("event", RowKind::as_str)
    }

    /// Returns what rows stand for; `None` for events.
    pub(crate) fn of_rows(self) -> Option<RowKind> {
        match self {
            Self::Function => Some(RowKind::Function),
            Self::Module => Some(RowKind::Module),
            Self::Line => Some(RowKind::Line),
            Self::Thread => Some(RowKind::Thread),
            Self::Process => Some(RowKind::Process),
            Self::Event => None,
        }
    }
}
