//! Reads the fields of an encoded protobuf message, one by one.
//!
//! Large messages are read field by field instead of being decoded as a whole: two bytes of input
//! can decode to a sample of 70 bytes in memory.

use super::error::Error;
#[cfg(any(feature = "otlp", feature = "pprof"))]
use crate::flaws::Flaws;

/// Iterates over the fields of a message.
#[derive(Clone, Debug)]
pub(crate) struct MessageFields<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed64(u64),
    /// Four bytes; no message of a profile has such a field.
    Fixed32,
}

impl<'a> MessageFields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self {
            whole: message,
            rest: message,
        }
    }

    /// Returns the number and value of the next field; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let begin = self.rest;
        let field = self.field();
        field.map(Some).ok_or_else(|| {
            let offset = self.whole.len().saturating_sub(begin.len());
            Error::Malformed {
                offset: u64::try_from(offset).unwrap_or(u64::MAX),
                reason: "no complete field of a protobuf message",
            }
        })
    }

    /// Returns what was not read yet.
    #[cfg(feature = "perfetto")]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that the first bytes of an input can be the start of a message.
    #[cfg(any(feature = "otlp", feature = "pprof"))]
    pub(crate) fn check_begin(begin: &'a [u8]) -> Result<(), Error> {
        let mut fields = Self::new(begin);
        loop {
            let mut rest = fields.rest;
            let length = rest.len();
            match fields.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(why) => {
                    let is_cut = match varint(&mut rest) {
                        Some(key) => key >> 3 != 0 && matches!(key & 7, 0 | 1 | 2 | 5),
                        None => length < 10,
                    };
                    return if is_cut { Ok(()) } else { Err(why) };
                }
            }
        }
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => {
                let bytes = self.bytes(8)?.try_into().ok()?;
                Value::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = varint(&mut self.rest)?;
                Value::Bytes(self.bytes(usize::try_from(length).ok()?)?)
            }
            5 => self.bytes(4).map(|_| Value::Fixed32)?,
            _ => return None,
        };
        Some((number, value))
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Takes a varint: up to ten bytes with seven bits each, lowest bits first.
pub(crate) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        // Bits above the 64th are dropped, as in protobuf's own decoders.
        number |= u64::from(first & 0x7f).checked_shl(shift).unwrap_or(0);
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Decodes a message; counts it if it cannot be decoded.
#[cfg(any(feature = "otlp", feature = "pprof"))]
pub(crate) fn decode<M: prost::Message + Default>(
    row: &[u8],
    why_not: &'static str,
    flaws: &mut Flaws,
) -> Option<M> {
    let decoded = M::decode(row).ok();
    if decoded.is_none() {
        flaws.count(why_not);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::{MessageFields, Value, varint};

    #[test]
    fn numbers_are_read() {
        let cases: [(&str, &[u8], Option<u64>); 6] = [
            ("one byte", &[0x7f], Some(0x7f)),
            ("two bytes", &[0x80, 0x01], Some(0x80)),
            (
                "minus one",
                &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                Some(u64::MAX),
            ),
            ("eleven bytes", &[0x80; 11], None),
            ("cut off", &[0x80], None),
            ("nothing", &[], None),
        ];
        for (name, mut bytes, want) in cases {
            assert_eq!(varint(&mut bytes), want, "{name}");
        }
    }

    #[test]
    fn fields_are_walked_and_broken_ones_said() {
        let fields = |bytes| {
            let mut fields = MessageFields::new(bytes);
            let mut all = Vec::new();
            loop {
                match fields.next() {
                    Ok(Some(field)) => all.push(field),
                    Ok(None) => break Ok(all),
                    Err(why) => break Err(why.to_string()),
                }
            }
        };
        let all = fields(&[0x08, 5, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0, 0]);
        let want = [
            (1, Value::Varint(5)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed32),
        ];
        assert_eq!(all.as_deref(), Ok(&want[..]));
        let broken: [(&str, &[u8]); 4] = [
            ("longer than the rest", &[0x08, 5, 0x12, 3, b'h', b'i']),
            ("field 0", &[0x08, 5, 0x00, 0]),
            ("a group", &[0x08, 5, 0x0b]),
            (
                "2^64 bytes",
                &[
                    0x08, 5, 0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
                ],
            ),
        ];
        for (name, bytes) in broken {
            // A length beyond the input may be valid if more input follows.
            let may_go_on = MessageFields::check_begin(bytes).is_ok();
            assert_eq!(
                may_go_on,
                name.contains("rest") || name.contains("2^64"),
                "{name}"
            );
            let why = fields(bytes).expect_err(name);
            assert!(why.contains("byte 2"), "{name}: {why}");
        }
    }
}
