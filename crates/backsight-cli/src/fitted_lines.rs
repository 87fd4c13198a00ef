//! Lines that are not wider than the screen.

use std::io::{Result, Write};

use crate::columns::{begin_of, columns_of};
use crate::screen::Screen;

/// Writes lines, each cut at the right edge of the screen. Who writes leaves room for what tells
/// most; this holds for the rest, as the words behind a figure.
pub(crate) struct FittedLines<'s, W: Write> {
    screen: &'s Screen,
    out: W,
    line: Vec<u8>,
}

impl<'s, W: Write> FittedLines<'s, W> {
    pub(crate) fn new(screen: &'s Screen, out: W) -> Self {
        Self {
            screen,
            out,
            line: Vec::new(),
        }
    }

    /// Writes what there is of a line.
    fn end_line(&mut self) -> Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        self.out.write_all(fitted(&text, self.screen).as_bytes())
    }
}

impl<W: Write> Write for FittedLines<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.end_line()?;
        self.out.flush()
    }
}

/// Cuts a line, but none of the colours in it. Text from files has no escape: `Screen::text` shows
/// those as characters.
fn fitted(line: &str, screen: &Screen) -> String {
    let (line, end) = match line.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (line, ""),
    };
    if width_of(line) <= screen.columns() {
        return line.to_owned() + end;
    }
    let line = line.trim_end();
    if width_of(line) <= screen.columns() {
        return line.to_owned() + end;
    }
    let mut room = screen.columns().saturating_sub(1);
    let mut is_full = false;
    let mut fitted = String::new();
    for (text, is_escape) in parts(line) {
        if is_escape {
            fitted.push_str(text);
        } else if !is_full {
            let begin = begin_of(text, room);
            room = room.saturating_sub(columns_of(begin));
            fitted.push_str(begin);
            if begin.len() < text.len() {
                is_full = true;
                fitted.push_str(screen.cut_mark());
            }
        }
    }
    fitted + end
}

fn width_of(line: &str) -> usize {
    let shown = parts(line).filter(|(_, is_escape)| !is_escape);
    shown.map(|(text, _)| columns_of(text)).sum()
}

/// Returns the parts of a line, and of each whether it is an escape.
fn parts(line: &str) -> impl Iterator<Item = (&str, bool)> {
    line.split_inclusive('m').flat_map(split_escape)
}

/// Splits a part that ends with `m` before its escape, if it has one.
fn split_escape(part: &str) -> [(&str, bool); 2] {
    let (text, escape) = part.split_at(part.find('\u{1b}').unwrap_or(part.len()));
    [(text, false), (escape, true)]
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::FittedLines;
    use crate::screen::Screen;

    #[test]
    fn lines_are_cut_and_colours_stay() {
        let screen = Screen::of_columns(6);
        let cases = [
            ("sum of\n", "sum of\n"),
            ("sum of all\n", "sum o…\n"),
            ("sum of   \n", "sum of\n"),
            ("sum   \n", "sum   \n"),
            ("\u{1b}[1msum of\u{1b}[0m\n", "\u{1b}[1msum of\u{1b}[0m\n"),
            (
                "\u{1b}[1msum of all\u{1b}[0m\n",
                "\u{1b}[1msum o…\u{1b}[0m\n",
            ),
            ("函数名称\n\nmm", "函数…\n\nmm"),
        ];
        for (line, want) in cases {
            let mut text = Vec::new();
            let mut lines = FittedLines::new(&screen, &mut text);
            // It comes in pieces.
            for byte in line.as_bytes().chunks(2) {
                lines.write_all(byte).unwrap();
            }
            lines.flush().unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), want);
        }
    }
}
