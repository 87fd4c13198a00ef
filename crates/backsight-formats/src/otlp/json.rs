//! Converts OTLP in JSON to the same message in protobuf, with field numbers instead of names.
//!
//! The message then needs no reader of its own, and it takes no more memory than the JSON.
//!
//! Source: "JSON Protobuf Encoding" in the OTLP specification: names are in lowerCamelCase; 64-bit
//! numbers are strings of decimal digits, or numbers; IDs of traces and spans are hexadecimal;
//! other bytes are in base64; unknown names are ignored.

mod schema;

use std::fmt;

use serde::Deserializer;

use self::schema::{Field, FieldKind, Type};
use FieldKind::{Bytes, Double, Fixed64, Message, Text, Varint};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json_offset::offset_of;

/// Whether a text that starts like this is OTLP in JSON: one of the names of `ProfilesData` must be
/// near the start.
#[must_use]
pub fn is_json(begin: &[u8]) -> bool {
    let begin = begin.get(..4096).unwrap_or(begin);
    let has = |name: &[u8]| memchr::memmem::find(begin, name).is_some();
    begin.trim_ascii_start().starts_with(b"{")
        && (has(b"\"resourceProfiles\"")
            || has(b"\"resource_profiles\"")
            || (has(b"\"dictionary\"") && (has(b"Table\"") || has(b"_table\""))))
}

/// Converts the objects of a text, which follow each other, to messages.
///
/// # Errors
/// The offset in the text of what is wrong.
pub(super) fn messages(text: &[u8]) -> Result<Vec<Vec<u8>>, u64> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let mut messages = Vec::new();
    while json.end().is_err() {
        let mut out = Vec::new();
        let seed = Object {
            fields: Type::ProfilesData.fields(),
            out: &mut out,
        };
        let read = seed.deserialize(&mut json);
        read.map_err(|error| offset_of(text, error.line(), error.column()))?;
        messages.push(out);
    }
    Ok(messages)
}

/// Converts an object to an encoded message.
struct Object<'a> {
    fields: &'static [Field],
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let found = self.fields.iter().find(|field| is_name(&name, field.0));
            match found {
                Some(Field(_, number, kind, several)) => map.next_value_seed(FieldValue {
                    number: *number,
                    kind: *kind,
                    several: *several,
                    out: self.out,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Compares a name with that of a field. The name may also be in snake_case.
fn is_name(name: &str, field: &str) -> bool {
    let mut upper = false;
    let camel = name.chars().filter_map(|c| {
        let is_gap = c == '_';
        let c = if std::mem::replace(&mut upper, is_gap) {
            c.to_ascii_uppercase()
        } else {
            c
        };
        (!is_gap).then_some(c)
    });
    camel.eq(field.chars())
}

/// Converts the value of a field.
struct FieldValue<'a> {
    number: u8,
    kind: FieldKind,
    several: bool,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for FieldValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl FieldValue<'_> {
    fn head(&mut self, wire: u8) {
        self.out.push(self.number << 3 | wire);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.head(2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.out.extend_from_slice(bytes);
    }

    fn varint(&mut self, value: u64) {
        prost::encoding::encode_varint(value, self.out);
    }

    fn number<E: serde::de::Error>(mut self, value: u64) -> Result<(), E> {
        match self.kind {
            Varint => {
                self.head(0);
                self.varint(value);
            }
            Fixed64 => {
                self.head(1);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            _ => return Err(E::custom("an unexpected number")),
        }
        Ok(())
    }

    fn double(mut self, value: f64) {
        self.head(1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }
}

impl<'de> Visitor<'de> for FieldValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what the field {} holds", self.number)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.number(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match self.kind {
            #[expect(
                clippy::cast_precision_loss,
                reason = "an integer in a field of type double"
            )]
            Double => {
                self.double(value as f64);
                Ok(())
            }
            _ => self.number(value),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        match self.kind {
            #[expect(
                clippy::cast_precision_loss,
                reason = "an integer in a field of type double"
            )]
            Double => {
                self.double(value as f64);
                Ok(())
            }
            _ => self.number(value.cast_unsigned()),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        match self.kind {
            Double => {
                self.double(value);
                Ok(())
            }
            // Some writers write integers with a decimal point.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it has no fraction, and is below 2^53"
            )]
            _ if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 => {
                self.number((value as i64).cast_unsigned())
            }
            _ => Err(E::custom("a fraction")),
        }
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        match self.kind {
            Text => self.bytes(text.as_bytes()),
            Bytes => {
                let bytes = hex(text).or_else(|| base64(text));
                self.bytes(&bytes.ok_or_else(|| E::custom("neither hexadecimal nor base64"))?);
            }
            Double => self.double(text.parse().map_err(|_| E::custom("no number"))?),
            Varint | Fixed64 => {
                let signed = text.parse::<i64>().map(i64::cast_unsigned);
                let number = text.parse::<u64>().or(signed);
                return self.number(number.map_err(|_| E::custom("not a number of 64 bits"))?);
            }
            Message(_) => return Err(E::custom("an unexpected string")),
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let Message(of) = self.kind else {
            return Err(A::Error::custom("an unexpected object"));
        };
        let mut out = Vec::new();
        let object = Object {
            fields: of.fields(),
            out: &mut out,
        };
        object.visit_map(map)?;
        self.bytes(&out);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.several {
            return Err(A::Error::custom("an unexpected list"));
        }
        loop {
            let part = FieldValue {
                number: self.number,
                kind: self.kind,
                several: false,
                out: self.out,
            };
            if list.next_element_seed(part)?.is_none() {
                return Ok(());
            }
        }
    }
}

/// Parses a hexadecimal ID.
fn hex(text: &str) -> Option<Vec<u8>> {
    let is_id = matches!(text.len(), 16 | 32);
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    is_id.then(|| text.as_bytes().chunks(2).map(pair).collect())?
}

/// Decodes base64 with either alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte.checked_sub(b'A')?,
            b'a'..=b'z' => byte.checked_sub(b'a')?.checked_add(26)?,
            b'0'..=b'9' => byte.checked_sub(b'0')?.checked_add(52)?,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held = held.checked_add(6)?;
        if held >= 8 {
            held = held.checked_sub(8)?;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{base64, hex, is_name, messages};

    #[test]
    fn names_become_numbers() {
        let text = br#"{"resourceProfiles":[{"scope_profiles":[{"profiles":[{"samples":
            [{"stackIndex":1,"values":["-3",2.0],"timestampsUnixNano":["7"]}],"new":[{}]}]}]}]}
            {"dictionary":null}"#;
        let sample = [
            b"\x08\x01\x20".to_vec(),
            [0xfd, 255, 255, 255, 255, 255, 255, 255, 255, 1].to_vec(),
            b"\x20\x02\x29\x07\0\0\0\0\0\0\0".to_vec(),
        ];
        let mut want = sample.concat();
        for field in [0x12, 0x12, 0x12, 0x0a] {
            let mut outer = vec![field, u8::try_from(want.len()).unwrap()];
            outer.extend(want);
            want = outer;
        }
        assert_eq!(messages(text), Ok(vec![want, Vec::new()]));
    }

    #[test]
    fn errors_have_a_position() {
        let cases: [(&str, u64); 6] = [
            ("{\"resourceProfiles\":[", 21),
            ("{}\n{\"dictionary\":1}", 18),
            ("{\"dictionary\":[]}", 15),
            (
                "{\"dictionary\":{\"stackTable\":[{\"locationIndices\":[1.5]}]}}",
                52,
            ),
            ("{\"dictionary\":{\"linkTable\":[{\"traceId\":\"?\"}]}}", 41),
            ("[]", 0),
        ];
        for (text, want) in cases {
            let at = messages(text.as_bytes()).unwrap_err();
            assert!(at.abs_diff(want) <= 2, "{text}: {at}");
        }
    }

    #[test]
    fn bytes_are_read_both_ways() {
        assert_eq!(hex("00ff00ff00ff00ff").unwrap().len(), 8);
        assert_eq!(hex("00ff"), None);
        assert_eq!(base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64("aGVsbG8").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64("?"), None);
        assert!(is_name("time_unix_nano", "timeUnixNano") && is_name("line", "line"));
        assert!(!is_name("timeunixnano", "timeUnixNano"));
    }
}
