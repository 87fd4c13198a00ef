//! Reads lines.

use std::borrow::Cow;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::module::ModuleLine;
use super::record::JsonLine;
use super::version::SCHEMA_VERSION;
use crate::lines::{BoundedLine, LineReader};

/// A module with 65,535 segments, the maximum of an ELF header, takes 8 MiB.
const MAX_LINE: u64 = 16 << 20;

/// A malformed line, or an input that cannot be read further. The error has no path: the reader
/// gets an input and not a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The line is malformed. It is skipped, and reading continues.
    #[error("line {line}: {cause}")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        cause: String,
    },
    /// The header has a newer version, in which keys may have other meanings. Reading ends.
    #[error(
        "line {line}: schema_version {version} is newer than {SCHEMA_VERSION}, \
         the newest that this version of backsight reads: use a newer backsight"
    )]
    NewerSchema {
        /// The line, counted from 1.
        line: u64,
        /// The version in the header.
        version: u64,
    },
    /// Reading the input failed. Reading ends.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Iterates over records and the numbers of their lines, counted from 1.
///
/// Blank lines, unknown keys and records of unknown types are ignored.
#[derive(Debug)]
pub struct Reader<R> {
    lines: LineReader<R>,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Creates a reader.
    pub fn new(input: R) -> Self {
        Self {
            lines: LineReader::new(input, MAX_LINE),
            ended: false,
        }
    }

    /// Returns the input, so that the caller can look at its buffer.
    pub fn get_ref(&self) -> &R {
        self.lines.get_ref()
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<(u64, JsonLine), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let (number, line) = match self.lines.next() {
                Ok(Some(numbered)) => numbered,
                Ok(None) => break,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            };
            let parsed = match line {
                BoundedLine::Whole(bytes) => parse(bytes),
                BoundedLine::TooLong => Err(LineFault::Malformed("longer than 16 MiB".to_owned())),
            };
            match parsed {
                Ok(Some(record)) => return Some(Ok((number, record))),
                Ok(None) => {}
                Err(LineFault::Malformed(cause)) => {
                    return Some(Err(Error::Malformed {
                        line: number,
                        cause,
                    }));
                }
                Err(LineFault::Newer(version)) => {
                    self.ended = true;
                    return Some(Err(Error::NewerSchema {
                        line: number,
                        version,
                    }));
                }
            }
        }
        self.ended = true;
        None
    }
}

enum LineFault {
    Malformed(String),
    Newer(u64),
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u64,
}

fn parse(line: &[u8]) -> Result<Option<JsonLine>, LineFault> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let tag: Tag<'_> = serde_json::from_slice(line).map_err(|error| malformed(&error))?;
    let record = match &*tag.name {
        "header" => {
            // The version is parsed first, because a header of another version may not parse.
            let Version { schema_version } = json(line)?;
            if schema_version > SCHEMA_VERSION {
                return Err(LineFault::Newer(schema_version));
            }
            JsonLine::Header(json(line)?)
        }
        "module" => {
            let line: ModuleLine = json(line)?;
            let (index, module) = line.into_module().map_err(LineFault::Malformed)?;
            JsonLine::Module { index, module }
        }
        "address" => JsonLine::Address(json(line)?),
        "mapping" => JsonLine::Mapping(json(line)?),
        "sample" => JsonLine::Sample(json(line)?),
        "profile" => JsonLine::About(json(line)?),
        "process" => JsonLine::Process(json(line)?),
        "thread" => JsonLine::Thread(json(line)?),
        "attribute" => JsonLine::Attribute(json(line)?),
        _ => return Ok(None),
    };
    Ok(Some(record))
}

fn json<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineFault> {
    serde_json::from_slice(line).map_err(|error| malformed(&error))
}

/// Removes the line number, which is always 1 because the parser gets a single line.
fn malformed(error: &serde_json::Error) -> LineFault {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    LineFault::Malformed(match text.strip_suffix(&place) {
        Some(cause) => format!("{cause}, column {}", error.column()),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::{Error, JsonLine, Reader};

    fn read(text: &str) -> Vec<String> {
        let shown = |item: Result<(u64, JsonLine), Error>| match item {
            Ok((line, JsonLine::Header(_))) => format!("{line} header"),
            Ok((line, JsonLine::Module { index, .. })) => format!("{line} module {}", index.0),
            Ok((line, JsonLine::Address(address))) => format!("{line} {:?}", address.address),
            Ok((line, _)) => format!("{line} other"),
            Err(error) => error.to_string(),
        };
        Reader::new(text.as_bytes()).map(shown).collect()
    }

    #[test]
    fn a_malformed_line_is_an_error_with_its_number_and_reading_goes_on() {
        let text = concat!(
            r#"{"type":"header","schema_version":1,"tool":"x"}"#,
            "\n",
            "\n",
            "not json\n",
            r#"{"type":"address","address":"0x10","lookup":"sideways"}"#,
            "\n",
            r#"{"type":"address","address":"zz"}"#,
            "\n",
            r#"{"type":"address","address":16}"#,
            "\n",
            r#"{"type":"module","index":0,"build_id":"0"}"#,
            "\n",
            r#"{"no":"type"}"#,
            "\n",
            "[1]\n",
            r#"{"type":"address","address":"0x20"}"#,
            "\n",
        );
        let want = [
            "1 header",
            "line 3: expected ident, column 2",
            r#"line 4: unknown word "sideways", column 54"#,
            "line 5: not a hexadecimal address, column 32",
            "line 6: invalid type: integer `16`, expected a string, column 30",
            "line 7: a build ID is written as pairs of hexadecimal digits",
            "line 8: missing field `type`, column 13",
            "line 9: invalid type: integer `1`, expected a string, column 2",
            "10 Some(AbsAddr(0x20))",
        ];
        assert_eq!(read(text), want);
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let text = concat!(
            r#"{"type":"comet","schema_version":"tail"}"#,
            "\n",
            r#"{"type":"module","index":3,"future":{"a":[1]}}"#,
            "\n",
            r#"{"schema_version":1,"more":null,"type":"header"}"#,
            "\n",
        );
        assert_eq!(read(text), ["2 module 3", "3 header"]);
    }

    #[test]
    fn a_newer_schema_is_refused_and_nothing_after_it_is_read() {
        let text = concat!(
            r#"{"type":"header","schema_version":2,"tool":{"changed":"shape"}}"#,
            "\n",
            r#"{"type":"address","address":"0x20"}"#,
            "\n",
        );
        let got = read(text);
        assert_eq!(got.len(), 1);
        assert!(
            got[0].starts_with("line 1: schema_version 2 is newer than 1"),
            "{got:?}"
        );
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = format!(r#"{{"type":"address","frames":{}"#, "[".repeat(200_000));
        assert_eq!(read(&deep).len(), 1);
        let ignored = format!(r#"{{"type":"address","x":{}"#, "[".repeat(200_000));
        assert_eq!(read(&ignored).len(), 1);
    }
}
