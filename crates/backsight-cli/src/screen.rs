//! What standard output can show: its width, colours and characters.

use std::borrow::Cow;
use std::env;
use std::io::{IsTerminal, stdout};

use backsight_formats::escape::Terminal;
use backsight_report::RowKind;

use crate::columns::{begin_of, columns_of, end_of};
use crate::palette::Palette;

/// The width of text that does not go to a terminal: nothing is cut.
const UNBOUNDED: usize = 1 << 20;

/// Screens with fewer columns show a figure and a name in each row.
pub(crate) const NARROW: usize = 40;

/// What standard output can show. The default has no colours, no bound and all characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) palette: Palette,
    columns: usize,
    /// Lines, if it is a terminal.
    pub(crate) lines: Option<usize>,
    has_unicode: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            palette: Palette::default(),
            columns: UNBOUNDED,
            lines: None,
            has_unicode: true,
        }
    }
}

impl Screen {
    pub(crate) fn of_stdout() -> Self {
        let size = stdout()
            .is_terminal()
            .then(terminal_size::terminal_size)
            .flatten();
        let columns = size.map(|(width, _)| usize::from(width.0));
        let of_variable = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        Self {
            palette: Palette::of_stdout(),
            columns: columns.or(of_variable).unwrap_or(UNBOUNDED).max(20),
            lines: size.map(|(_, height)| usize::from(height.0)),
            has_unicode: is_utf8(),
        }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Whether there is no room for more than one figure and a name.
    pub(crate) fn is_narrow(&self) -> bool {
        self.columns < NARROW
    }

    #[cfg(test)]
    pub(crate) fn of_columns(columns: usize) -> Self {
        Self {
            columns,
            ..Self::default()
        }
    }

    /// Returns text from a file so that it acts on no terminal.
    pub(crate) fn text(&self, text: &str) -> String {
        let text = Terminal(text.as_bytes()).to_string();
        match self.has_unicode {
            true => text,
            false => text
                .chars()
                .map(|c| if c.is_ascii() { c } else { '?' })
                .collect(),
        }
    }

    /// The mark of what is cut, one column wide.
    pub(crate) fn cut_mark(&self) -> &'static str {
        if self.has_unicode { "…" } else { "~" }
    }

    /// Cuts the name of a function at its end, which is its parameters and tells least, as in flame
    /// graphs.
    pub(crate) fn cut_name<'t>(&self, text: &'t str, width: usize) -> Cow<'t, str> {
        if columns_of(text) <= width {
            return text.into();
        }
        let mark = if width == 0 { "" } else { self.cut_mark() };
        (begin_of(text, width.saturating_sub(1)).to_owned() + mark).into()
    }

    /// Cuts the name of a row: of a function at its end, of a path in the middle.
    pub(crate) fn cut_row<'t>(&self, by: RowKind, text: &'t str, width: usize) -> Cow<'t, str> {
        match by {
            RowKind::Module | RowKind::Line => self.cut(text, width),
            _ => self.cut_name(text, width),
        }
    }

    /// Cuts a path in the middle: its end tells as much as its begin.
    pub(crate) fn cut<'t>(&self, text: &'t str, width: usize) -> Cow<'t, str> {
        if columns_of(text) <= width {
            return text.into();
        }
        let room = width.saturating_sub(1);
        let head = begin_of(text, room.div_ceil(2));
        let tail = end_of(text, room - room.div_ceil(2));
        let mark = if width == 0 { "" } else { self.cut_mark() };
        format!("{head}{mark}{tail}").into()
    }

    /// Returns a bar for a share, padded to a width.
    pub(crate) fn bar(&self, percent: f64, width: usize) -> String {
        let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the width of a bar"
        )]
        let parts = (percent.abs().min(100.0) / 100.0 * (width * 8) as f64).round() as usize;
        let bar = match self.has_unicode {
            true => {
                let part = eighths.get(parts % 8).copied().unwrap_or_default();
                "█".repeat(parts / 8) + part
            }
            false => "#".repeat(parts.div_ceil(8)),
        };
        format!("{bar:<width$}")
    }
}

/// Whether the locale's characters are UTF-8: the first of these variables that is set decides. A
/// locale that is not set at all is taken as one of UTF-8, as in containers.
fn is_utf8() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let mut values = names.iter().filter_map(env::var_os);
    let Some(locale) = values.find(|value| !value.is_empty()) else {
        return true;
    };
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use backsight_report::RowKind;

    use super::Screen;

    #[test]
    fn names_are_cut_at_the_end_and_paths_in_the_middle() {
        let screen = Screen::default();
        let (function, line) = (RowKind::Function, RowKind::Line);
        assert_eq!(screen.cut_row(function, "a::f(int)", 9), "a::f(int)");
        assert_eq!(screen.cut_row(function, "a::f(int)", 6), "a::f(…");
        assert_eq!(screen.cut_row(function, "a::f(int)", 1), "…");
        assert_eq!(screen.cut_row(line, "/src/list.c:17", 9), "/src…c:17");
        assert_eq!(screen.cut("abcdefghij", 10), "abcdefghij");
        assert_eq!(screen.cut("abcdefghij", 5), "ab…ij");
        assert_eq!(screen.cut("abcdefghij", 1), "…");
        assert_eq!(screen.cut("abcdefghij", 0), "");
        // Each of these takes two columns.
        assert_eq!(screen.cut_name("函数名称", 8), "函数名称");
        assert_eq!(screen.cut_name("函数名称", 7), "函数名…");
        assert_eq!(screen.cut_name("函数名称", 6), "函数…");
        assert_eq!(screen.cut("函数名称", 6), "函…称");
        let ascii = Screen {
            has_unicode: false,
            ..screen
        };
        assert_eq!(ascii.cut("abcdefghij", 4), "ab~j");
        assert_eq!(ascii.text("naïve\u{1b}[0m"), "na?ve\\x1b[0m");
    }

    #[test]
    fn bars_are_as_long_as_shares() {
        let screen = Screen::default();
        assert_eq!(screen.bar(0.0, 4), "    ");
        assert_eq!(screen.bar(50.0, 4), "██  ");
        assert_eq!(screen.bar(250.0, 4), "████");
        let ascii = Screen {
            has_unicode: false,
            ..screen
        };
        assert_eq!(ascii.bar(30.0, 4), "##  ");
    }
}
