//! Reads the lines of an untrusted input: numbered, and bounded in length.

use std::io::{self, BufRead, Read};

/// Reads lines into one buffer.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: R,
    limit: u64,
    buffer: Vec<u8>,
    number: u64,
    /// Whether the last line read has a line end.
    is_ended: bool,
    is_too_long: bool,
}

/// A line without its line end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BoundedLine<'a> {
    Whole(&'a [u8]),
    /// The line is longer than the limit, and was skipped.
    TooLong,
}

impl<R: BufRead> LineReader<R> {
    /// Creates a reader; `limit` is the maximum length of a line in bytes.
    pub(crate) fn new(input: R, limit: u64) -> Self {
        Self {
            input,
            limit,
            buffer: Vec::new(),
            number: 0,
            is_ended: true,
            is_too_long: false,
        }
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.input
    }

    /// Returns the number of the last line read, counted from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the last line read has a line end. If not, it was the last one of the input, which
    /// may have been cut within it.
    #[cfg(any(test, feature = "legacy", feature = "texts"))]
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Like [`next`](Self::next), with whether the line has a line end.
    pub(crate) fn next_ended(&mut self) -> io::Result<Option<(u64, BoundedLine<'_>, bool)>> {
        if !self.advance()? {
            return Ok(None);
        }
        let line = match self.is_too_long {
            false => BoundedLine::Whole(&self.buffer),
            true => BoundedLine::TooLong,
        };
        Ok(Some((self.number, line, self.is_ended)))
    }

    /// Returns the next line and its number, counted from 1; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, BoundedLine<'_>)>> {
        Ok(self.next_ended()?.map(|(number, line, _)| (number, line)))
    }

    /// Reads the next line into the buffer; `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        // One more byte for the line end.
        let most = self.limit.saturating_add(1);
        let mut part = self.input.by_ref().take(most);
        if part.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(false);
        }
        self.number = self.number.saturating_add(1);
        let ended = self.buffer.pop_if(|last| *last == b'\n').is_some();
        self.is_ended = ended;
        self.is_too_long = !ended && part.limit() == 0;
        match self.is_too_long {
            false => {
                self.buffer.pop_if(|last| *last == b'\r');
            }
            true => self.skip_rest()?,
        }
        Ok(true)
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            self.buffer.clear();
            let mut part = self.input.by_ref().take(self.limit.max(1));
            let count = part.read_until(b'\n', &mut self.buffer)?;
            self.is_ended = self.buffer.last() == Some(&b'\n');
            if count == 0 || self.is_ended {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundedLine, LineReader};

    fn read(text: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = LineReader::new(text, 4);
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            let whole = match line {
                BoundedLine::Whole(bytes) => Some(bytes.to_vec()),
                BoundedLine::TooLong => None,
            };
            all.push((number, whole));
        }
        all
    }

    #[test]
    fn a_last_line_without_its_end_is_known() {
        for (text, is_ended) in [
            ("", true),
            ("ab\n", true),
            ("ab\r\n", true),
            ("ab", false),
            ("ab\nc", false),
            ("abcdefgh\n", true),
            ("abcdefgh", false),
            ("abcde", false),
        ] {
            let mut lines = LineReader::new(text.as_bytes(), 4);
            while lines.next().unwrap().is_some() {}
            assert_eq!(lines.is_ended(), is_ended, "{text:?}");
        }
    }

    #[test]
    fn lines_are_numbered_and_bounded() {
        let whole = |number, text: &str| (number, Some(text.as_bytes().to_vec()));
        let cases = [
            ("nothing", "", vec![]),
            ("an empty line", "\n", vec![whole(1, "")]),
            ("no end", "ab", vec![whole(1, "ab")]),
            (
                "carriage return",
                "ab\r\nc",
                vec![whole(1, "ab"), whole(2, "c")],
            ),
            (
                "at the limit",
                "abcd\nx\n",
                vec![whole(1, "abcd"), whole(2, "x")],
            ),
            ("at the limit, no end", "abcd", vec![whole(1, "abcd")]),
            (
                "over the limit",
                "abcde\nx\n",
                vec![(1, None), whole(2, "x")],
            ),
            (
                "far over",
                "abcdefghijklm\nx",
                vec![(1, None), whole(2, "x")],
            ),
            ("over, no end", "abcdefgh", vec![(1, None)]),
        ];
        for (name, text, want) in cases {
            assert_eq!(read(text.as_bytes()), want, "{name}");
        }
    }
}
