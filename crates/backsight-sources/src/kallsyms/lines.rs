//! Splits the list into lines, and never keeps more than one of them.

use std::io::{self, BufRead, ErrorKind};
use std::ops::ControlFlow;

use super::line::Line;

/// The maximum length of a line. A name has up to 511 bytes, the name of a module 63.
const MAX_LINE_BYTES: usize = 4096;

/// The maximum size of the text: many times that of a kernel with all its modules, which
/// is 20 MiB.
const MAX_TEXT_BYTES: usize = 1 << 30;

/// How many lines with the address zero are read before addresses count as hidden. The
/// first symbols may be per-CPU variables, whose addresses start at zero.
const MAX_LINES_OF_ZEROS: u32 = 2000;

/// Calls `take` with each complete line that is a symbol, until it returns a break.
/// Returns how many other lines were skipped: malformed, too long, or without a line
/// feed, as the last one of a truncated text.
///
/// # Errors
/// Those of the input.
pub(super) fn each_symbol(
    mut input: impl BufRead,
    mut take: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut skipped = 0_u64;
    // The start of a line whose end was not read yet.
    let mut begun: Vec<u8> = Vec::new();
    let mut is_overlong = false;
    let mut left = MAX_TEXT_BYTES;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        let len = buffer.len();
        left = left.saturating_sub(len);
        if len == 0 || left == 0 {
            let is_cut = is_overlong || !begun.is_empty() || left == 0;
            return Ok(skipped.saturating_add(u64::from(is_cut)));
        }
        let mut rest = buffer;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = behind.get(1..).unwrap_or_default();
            let symbol = if is_overlong {
                None
            } else if begun.is_empty() {
                Line::parse(line)
            } else {
                begun.extend_from_slice(line);
                Line::parse(&begun)
            };
            match symbol.map(&mut take) {
                Some(ControlFlow::Continue(())) => {}
                Some(ControlFlow::Break(())) => return Ok(skipped),
                None => skipped = skipped.saturating_add(1),
            }
            begun.clear();
            is_overlong = false;
        }
        is_overlong |= begun.len().saturating_add(rest.len()) > MAX_LINE_BYTES;
        match is_overlong {
            true => begun.clear(),
            false => begun.extend_from_slice(rest),
        }
        input.consume(len);
    }
}

/// Returns whether one of the first symbols has an address other than zero.
///
/// # Errors
/// Those of the input.
pub(super) fn shows_addresses(input: impl BufRead) -> io::Result<bool> {
    let (mut shown, mut zeros) = (false, 0_u32);
    each_symbol(input, |line| {
        shown = line.addr != 0;
        zeros = zeros.saturating_add(1);
        match shown || zeros == MAX_LINES_OF_ZEROS {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::ops::ControlFlow;

    use super::{MAX_LINE_BYTES, each_symbol, shows_addresses};

    fn names(text: &[u8], buffer_bytes: usize) -> (Vec<String>, u64) {
        let mut names = Vec::new();
        let input = BufReader::with_capacity(buffer_bytes, text);
        let skipped = each_symbol(input, |line| {
            names.push(line.name.to_owned());
            ControlFlow::Continue(())
        });
        (names, skipped.unwrap())
    }

    #[test]
    fn lines_are_the_same_whatever_the_buffer() {
        let long = "y".repeat(2 * MAX_LINE_BYTES);
        // The rest of a line that is too long is not read as another line.
        let text = format!("10 t one\nno line\n20 t {long} 30 t forged\n40 t two\t[m]\n50 t cut");
        for buffer_bytes in [1, 2, 7, 100, MAX_LINE_BYTES, 1 << 20] {
            let (found, skipped) = names(text.as_bytes(), buffer_bytes);
            assert_eq!(found, ["one", "two"], "{buffer_bytes}");
            assert_eq!(skipped, 3, "{buffer_bytes}");
        }
        assert_eq!(names(b"", 10), (vec![], 0));
    }

    #[test]
    fn zeros_are_not_shown_addresses() {
        let shows = |text: &str| shows_addresses(text.as_bytes()).unwrap();
        assert!(!shows(""));
        assert!(!shows("0000000000000000 A a\n0000000000000000 T b\n"));
        assert!(shows("0000000000000000 A a\nffffffff81000000 T b\n"));
        let far = "0 A a\n".repeat(5000) + "ffffffff81000000 T b\n";
        assert!(!shows(&far), "it stops early");
    }
}
