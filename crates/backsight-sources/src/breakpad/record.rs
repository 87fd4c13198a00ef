//! Parses one line.

use std::ops::Range;

use super::fields::{Fields, decimal, hex};
use super::lines::LONGEST_LINE;

/// A number that no text has. In an inlined call it means that the file is unknown, and
/// in a function its own name.
pub(super) const NO_TEXT: u32 = u32::MAX;

/// The record of a line. Texts extend to the end of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'l> {
    Module,
    /// The build ID, or the corresponding ID of a Windows file.
    CodeId(&'l [u8]),
    /// Other information, such as the tool and the origin of the file.
    Info,
    File(u32, &'l [u8]),
    Origin(u32, &'l [u8]),
    Function {
        start: u64,
        /// 0 if unknown.
        size: u32,
        name: &'l [u8],
    },
    Inlined(InlinedRecord<'l>),
    Line {
        start: u64,
        size: u32,
        line: u32,
        file: u32,
    },
    Public(u64, &'l [u8]),
    /// The rules at the start of a range of code.
    CfiInit {
        start: u64,
        size: u32,
        rules: &'l [u8],
    },
    /// The rules that change at an address in that range.
    Cfi(u64, &'l [u8]),
    /// Rules for 32-bit Windows.
    Win,
    Empty,
}

/// A call that was inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InlinedRecord<'l> {
    /// The number of calls that it is nested in.
    pub(super) level: u32,
    pub(super) line: u32,
    pub(super) file: u32,
    pub(super) origin: u32,
    ranges: &'l [u8],
}

impl InlinedRecord<'_> {
    /// Returns its ranges; `None` if there is none, or if one cannot be read.
    pub(super) fn ranges(&self) -> Option<Vec<Range<u64>>> {
        let mut fields = Fields(self.ranges);
        let mut all = Vec::new();
        while !fields.is_at_end() {
            all.push(range(&mut fields)?);
        }
        (!all.is_empty()).then_some(all)
    }

    fn is_sound(&self) -> bool {
        let mut fields = Fields(self.ranges);
        let mut count = 0_usize;
        while !fields.is_at_end() {
            if range(&mut fields).is_none() {
                return false;
            }
            count = count.saturating_add(1);
        }
        count > 0
    }
}

/// Parses a line; `None` if it is malformed.
pub(super) fn parse(line: &[u8]) -> Option<Record<'_>> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let mut fields = Fields(line);
    let first = fields.word();
    let record = match first {
        b"FUNC" => {
            fields.skip_multiple();
            let (start, size) = start_and_size(&mut fields)?;
            let _parameter_bytes = fields.hex()?;
            let name = fields.rest();
            Record::Function { start, size, name }
        }
        b"INLINE" => {
            let level = fields.decimal()?;
            let line = fields.decimal()?;
            let file = match fields.word() {
                b"-1" => NO_TEXT,
                number => decimal(number)?,
            };
            let origin = text_number(&mut fields)?;
            let ranges = fields.rest();
            let call = InlinedRecord {
                level,
                line,
                file,
                origin,
                ranges,
            };
            return call.is_sound().then_some(Record::Inlined(call));
        }
        b"FILE" => Record::File(text_number(&mut fields)?, fields.rest()),
        b"INLINE_ORIGIN" => Record::Origin(text_number(&mut fields)?, fields.rest()),
        b"PUBLIC" => {
            fields.skip_multiple();
            let start = fields.hex()?;
            let _parameter_bytes = fields.hex()?;
            Record::Public(start, fields.rest())
        }
        b"STACK" => return stack(fields),
        b"MODULE" => Record::Module,
        b"INFO" => match fields.word() {
            b"CODE_ID" => Record::CodeId(fields.word()),
            _ => Record::Info,
        },
        b"" => Record::Empty,
        start => {
            let start = hex(start)?;
            let size = size_from(start, &mut fields)?;
            let (line, file) = (fields.decimal()?, fields.decimal()?);
            let is_whole = fields.is_at_end();
            return is_whole.then_some(Record::Line {
                start,
                size,
                line,
                file,
            });
        }
    };
    Some(record)
}

fn stack(mut fields: Fields<'_>) -> Option<Record<'_>> {
    match fields.word() {
        b"WIN" => Some(Record::Win),
        b"CFI" => {
            let mut after = fields;
            if after.word() == b"INIT" {
                let (start, size) = start_and_size(&mut after)?;
                let rules = after.rest();
                return Some(Record::CfiInit { start, size, rules });
            }
            Some(Record::Cfi(fields.hex()?, fields.rest()))
        }
        _ => None,
    }
}

fn text_number(fields: &mut Fields<'_>) -> Option<u32> {
    fields.decimal().filter(|number| *number != NO_TEXT)
}

fn range(fields: &mut Fields<'_>) -> Option<Range<u64>> {
    let (start, size) = start_and_size(fields)?;
    Some(start..start.checked_add(size.into())?)
}

fn start_and_size(fields: &mut Fields<'_>) -> Option<(u64, u32)> {
    let start = fields.hex()?;
    Some((start, size_from(start, fields)?))
}

/// Parses a size. Fails if the end would exceed the address space.
fn size_from(start: u64, fields: &mut Fields<'_>) -> Option<u32> {
    let size = u32::try_from(fields.hex()?).ok()?;
    start.checked_add(size.into()).map(|_| size)
}

#[cfg(test)]
mod tests {
    use super::{NO_TEXT, Record, parse};

    #[test]
    fn lines_are_read() {
        let function = Record::Function {
            start: 0x1000,
            size: 0x40,
            name: b"f(int, char)",
        };
        let line = Record::Line {
            start: 0xf00,
            size: 4,
            line: 12,
            file: 3,
        };
        let init = Record::CfiInit {
            start: 0x10,
            size: 2,
            rules: b".cfa: $rsp 8 +",
        };
        let cases = [
            ("FUNC 1000 40 0 f(int, char)", function),
            ("FUNC m 1000 40 0 f(int, char)", function),
            ("f00 4 12 3", line),
            ("FILE 7 /a b.c", Record::File(7, b"/a b.c")),
            ("INLINE_ORIGIN 7 g", Record::Origin(7, b"g")),
            ("PUBLIC m 10 0 h", Record::Public(0x10, b"h")),
            ("STACK CFI INIT 10 2 .cfa: $rsp 8 +", init),
            ("STACK CFI 11 .ra: 1", Record::Cfi(0x11, b".ra: 1")),
            ("STACK WIN 4 1 2", Record::Win),
            ("INFO CODE_ID AB12 a.so", Record::CodeId(b"AB12")),
            ("INFO GENERATOR x", Record::Info),
        ];
        for (line, want) in cases {
            assert_eq!(parse(line.as_bytes()), Some(want), "{line}");
        }
        let Some(Record::Inlined(call)) = parse(b"INLINE 1 20 -1 4 1000 4 2000 8") else {
            panic!("an inlined call");
        };
        assert_eq!((call.level, call.line, call.origin), (1, 20, 4));
        assert_eq!(call.file, NO_TEXT);
        assert_eq!(call.ranges(), Some(vec![0x1000..0x1004, 0x2000..0x2008]));
    }

    #[test]
    fn impossible_records_are_not_read() {
        let long = "f".repeat(super::LONGEST_LINE);
        let long = format!("FILE 1 {long}");
        for wrong in [
            "FUNC 1000 40",
            "FUNC ffffffffffffffff 2 0 f",
            "FUNC 10 100000000 0 f",
            "INLINE 0 1 2 3",
            "INLINE 0 1 2 3 1000",
            "1000 4 12",
            "1000 4 12 3 5",
            "FILE x a.c",
            "FILE 4294967295 a.c",
            "STACK",
            "STACK CFI INIT 10",
            "func 10 2 0 f",
            &long,
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong:.40}");
        }
    }
}
