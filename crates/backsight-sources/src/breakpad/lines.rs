//! Splits a text into lines, with their offsets.

/// The maximum length of a line. The longest one of a Rust program with 475,000 lines has 4,232
/// bytes.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// The lines of a text from an offset on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'d> {
    text: &'d [u8],
    at: usize,
}

impl<'d> Lines<'d> {
    pub(super) fn from(text: &'d [u8], at: usize) -> Self {
        Self { text, at }
    }
}

impl<'d> Iterator for Lines<'d> {
    /// The offset of a line, and the line without its line ending.
    type Item = (usize, &'d [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let begin = self.at;
        self.at = begin.saturating_add(end).saturating_add(1);
        let line = rest.get(..end)?;
        Some((begin, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn either_end_of_a_line_is_left_out() {
        let lines: Vec<(usize, &[u8])> = Lines::from(b"a\r\n\nbc", 0).collect();
        let want: [(usize, &[u8]); 3] = [(0, b"a"), (3, b""), (4, b"bc")];
        assert_eq!(lines, want);
    }
}
