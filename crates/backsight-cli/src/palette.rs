//! Colours of terminal output.
//!
//! Standard output is coloured if it is a terminal that supports colours, unless `NO_COLOR` is
//! set (<https://no-color.org>); `CLICOLOR_FORCE` forces colours. NDJSON and the formats of
//! other tools are never coloured.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// The styles in use. Those of [`Palette::default`] write nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Palette {
    /// The name of a function.
    pub(crate) function: Style,
    /// The module that contains it.
    pub(crate) module: Style,
    /// A line or instruction with much of a function's time.
    pub(crate) hot: Style,
    /// A line or instruction with some of a function's time.
    pub(crate) warm: Style,
    /// A doctor finding that is ok.
    pub(crate) good: Style,
    /// A doctor finding that is limited.
    pub(crate) limited: Style,
    /// A doctor finding that is missing.
    pub(crate) missing: Style,
}

impl Palette {
    /// Returns the styles for standard output.
    pub(crate) fn of_stdout() -> Self {
        match AutoStream::choice(&std::io::stdout()) {
            ColorChoice::Never => Self::default(),
            _ => Self::coloured(),
        }
    }

    fn coloured() -> Self {
        Self {
            function: Style::new().bold(),
            module: Style::new().dimmed(),
            hot: AnsiColor::Red.on_default().bold(),
            warm: AnsiColor::Yellow.on_default(),
            good: AnsiColor::Green.on_default(),
            limited: AnsiColor::Yellow.on_default(),
            missing: AnsiColor::Red.on_default(),
        }
    }
}
