//! Colours, few of them, and only where somebody looks.
//!
//! Standard output is coloured when it is a terminal that takes colours, unless
//! `NO_COLOR` is set (<https://no-color.org>); `CLICOLOR_FORCE` asks for colours
//! anywhere. NDJSON and the layouts of other tools never have any.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// The styles in use. Those of [`Palette::default`] write nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Palette {
    /// The name of a function.
    pub(crate) function: Style,
    /// The file it is in.
    pub(crate) module: Style,
    /// What is as it should be.
    pub(crate) good: Style,
    /// What is so in part.
    pub(crate) limited: Style,
    /// What is not there.
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
            good: AnsiColor::Green.on_default(),
            limited: AnsiColor::Yellow.on_default(),
            missing: AnsiColor::Red.on_default(),
        }
    }
}
