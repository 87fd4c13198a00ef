//! Lists of addresses: hexadecimal numbers with or without `0x`, any number on a line. `#` starts a
//! comment that ends with the line.
//!
//! The reader never waits for input after the end of a line. A process that writes one line into a
//! pipe therefore gets its answer before it writes the next one.

use std::io::{self, BufRead};

use backsight_types::{AbsAddr, ParseAddrError};

use crate::lines::{BoundedLine, LineReader};

/// A line of 100,000 addresses is shorter.
const MAX_LINE: u64 = 2 << 20;

/// The number of bytes of a malformed entry that are kept for messages.
const MAX_SHOWN: usize = 64;

/// An entry of a list that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}: {text:?}")]
#[non_exhaustive]
pub struct MalformedEntry {
    /// The line, counted from 1.
    pub line: u64,
    /// The first 64 bytes of the entry. Bytes that are not UTF-8 are replaced by �.
    pub text: String,
    /// Why it is not an address.
    pub cause: EntryError,
}

/// Why an entry is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// It is not a hexadecimal number of at most 64 bits.
    #[error(transparent)]
    Address(#[from] ParseAddrError),
    /// The line has more than 2 MiB.
    #[error("a line longer than 2 MiB")]
    LineTooLong,
}

/// What [`Reader::read_line`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineContent {
    /// A line with entries, or with only a comment.
    Entries,
    /// A blank line, which may separate stacks.
    Blank,
    /// The end of the input.
    End,
}

/// Reads a list of addresses.
#[derive(Debug)]
pub struct Reader<R> {
    lines: LineReader<R>,
}

impl<R: BufRead> Reader<R> {
    /// Creates a reader. It uses what the input has buffered before it reads more.
    pub fn new(input: R) -> Self {
        Self {
            lines: LineReader::new(input, MAX_LINE),
        }
    }

    /// Replaces the contents of `entries` with those of the next line, in the order of the line.
    ///
    /// # Errors
    /// Those of the input. A malformed entry is not an error here: it is an `Err` in `entries`.
    pub fn read_line(
        &mut self,
        entries: &mut Vec<Result<AbsAddr, MalformedEntry>>,
    ) -> io::Result<LineContent> {
        entries.clear();
        let Some((number, line)) = self.lines.next()? else {
            return Ok(LineContent::End);
        };
        match line {
            BoundedLine::Whole(bytes) if bytes.trim_ascii().is_empty() => {
                return Ok(LineContent::Blank);
            }
            BoundedLine::Whole(bytes) => entries.extend(parse_line(number, bytes)),
            BoundedLine::TooLong => entries.push(Err(MalformedEntry {
                line: number,
                text: String::new(),
                cause: EntryError::LineTooLong,
            })),
        }
        Ok(LineContent::Entries)
    }

    /// Returns the number of lines read so far.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Returns the input, so that the caller can look at its buffer.
    pub fn get_ref(&self) -> &R {
        self.lines.get_ref()
    }
}

fn parse_line(number: u64, bytes: &[u8]) -> impl Iterator<Item = Result<AbsAddr, MalformedEntry>> {
    let content = bytes.split(|byte| *byte == b'#').next().unwrap_or_default();
    let entries = content
        .split(u8::is_ascii_whitespace)
        .filter(|entry| !entry.is_empty());
    entries.map(move |entry| {
        let text = str::from_utf8(entry).map_err(|_| ParseAddrError::NotHex);
        text.and_then(str::parse).map_err(|cause| MalformedEntry {
            line: number,
            text: String::from_utf8_lossy(entry.get(..MAX_SHOWN).unwrap_or(entry)).into_owned(),
            cause: cause.into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;

    use super::{LineContent, Reader};

    type Read = Vec<Result<u64, String>>;

    fn read(text: &[u8]) -> Read {
        let mut reader = Reader::new(text);
        let (mut all, mut entries) = (Vec::new(), Vec::new());
        while reader.read_line(&mut entries).unwrap() != LineContent::End {
            let plain = entries.drain(..).map(|entry| match entry {
                Ok(AbsAddr(raw)) => Ok(raw),
                Err(malformed) => Err(malformed.to_string()),
            });
            all.extend(plain);
        }
        all
    }

    #[test]
    fn entries_come_in_order_and_a_bad_one_does_not_end_it() {
        let wrong = |text: &str| Err(text.to_owned());
        let cases: [(&str, &[u8], Read); 8] = [
            ("nothing", b"", vec![]),
            ("one a line", b"10\n0x20\n", vec![Ok(0x10), Ok(0x20)]),
            ("no end", b"10", vec![Ok(0x10)]),
            ("many a line", b" 1\t2  3 \r\n", vec![Ok(1), Ok(2), Ok(3)]),
            ("comments", b"# x\n\n1 # 2\n#3\n", vec![Ok(1)]),
            (
                "a word among them",
                b"1\nmain 2\n",
                vec![
                    Ok(1),
                    wrong("line 2: not a hexadecimal address: \"main\""),
                    Ok(2),
                ],
            ),
            (
                "the highest and one too many",
                b"ffffffffffffffff 10000000000000000",
                vec![
                    Ok(u64::MAX),
                    wrong("line 1: more than 64 bits: \"10000000000000000\""),
                ],
            ),
            (
                "not UTF-8",
                b"\xff\n5",
                vec![
                    wrong("line 1: not a hexadecimal address: \"\u{fffd}\""),
                    Ok(5),
                ],
            ),
        ];
        for (name, text, want) in cases {
            assert_eq!(read(text), want, "{name}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_and_skipped() {
        let mut text = vec![b'1'; 3 << 20];
        text.extend_from_slice(b"\n7\n");
        let got = read(&text);
        assert_eq!(got.len(), 2);
        assert!(got[0].as_ref().unwrap_err().contains("line 1"));
        assert_eq!(got[1], Ok(7));
    }
}
