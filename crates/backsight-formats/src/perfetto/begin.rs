//! Recognizes a trace by its first packet.

use super::packet::{Kind, kind_of};
use crate::protobuf::{MessageFields, Value, varint};

/// What the first bytes of a file tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is a trace.
    Trace,
    /// It may be one.
    Unknown,
    /// It is none.
    Other,
}

/// Whether a file that starts with these bytes is a trace.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    look(begin) == Begin::Trace
}

/// Looks at the first packet, as far as it is there.
///
/// Other messages begin like a trace, too. But in pprof, the numbers 1 and 2 are of integers, where
/// a packet has messages, and OTLP has no other numbers than 1 to 3.
pub(super) fn look(begin: &[u8]) -> Begin {
    let Some((0x0a, mut rest)) = begin.split_first() else {
        return Begin::Other;
    };
    let Some(length) = varint(&mut rest) else {
        return Begin::Unknown;
    };
    let packet = usize::try_from(length)
        .ok()
        .and_then(|length| rest.get(..length));
    let is_whole = packet.is_some();
    let mut fields = MessageFields::new(packet.unwrap_or(rest));
    let mut found = Begin::Unknown;
    loop {
        let here = fields.rest();
        match fields.next() {
            Ok(Some((number, value))) => match (kind_of(number), value) {
                (Some(Kind::Number), Value::Varint(_)) if matches!(number, 8 | 10) => {
                    found = Begin::Trace;
                }
                (Some(Kind::Number), Value::Varint(_)) => {}
                (Some(Kind::Message), Value::Bytes(_)) if number > 3 => found = Begin::Trace,
                (Some(Kind::Message), Value::Bytes(_)) | (None, _) => {}
                (Some(_), _) => return Begin::Other,
            },
            Ok(None) => return found,
            Err(_) if is_whole => return Begin::Other,
            Err(_) => return cut(here, found),
        }
    }
}

/// Looks at the field that goes on behind the bytes.
fn cut(mut rest: &[u8], found: Begin) -> Begin {
    let Some(key) = varint(&mut rest) else {
        return found;
    };
    let number = u32::try_from(key >> 3).ok();
    match (number.and_then(kind_of), key & 7) {
        (Some(Kind::Message), 2) if number > Some(3) => Begin::Trace,
        (Some(Kind::Message), 2) | (Some(Kind::Number), 0) | (None, 0..=2 | 5) => found,
        _ => Begin::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Begin, look};

    #[test]
    fn a_trace_is_told_from_other_messages() {
        let cases: [(&str, &[u8], Begin); 10] = [
            ("a timestamp", &[0x0a, 2, 0x40, 1], Begin::Trace),
            ("a sequence", &[0x0a, 2, 0x50, 1], Begin::Trace),
            ("symbols", &[0x0a, 3, 0xea, 3, 0], Begin::Trace),
            (
                "a clock snapshot that goes on",
                &[0x0a, 90, 0x32, 88, 1],
                Begin::Trace,
            ),
            (
                "ftrace that goes on",
                &[0x0a, 0x90, 3, 0x0a, 0x80, 3, 8],
                Begin::Unknown,
            ),
            (
                "pprof: a sample type",
                &[0x0a, 4, 8, 1, 0x10, 2],
                Begin::Other,
            ),
            (
                "OTLP: a resource",
                &[0x0a, 4, 0x0a, 0, 0x12, 0],
                Begin::Unknown,
            ),
            ("OTLP: a schema", &[0x0a, 3, 0x1a, 1, b'x'], Begin::Other),
            ("a text", b"\na b 3\n", Begin::Other),
            ("nothing", b"", Begin::Other),
        ];
        for (name, bytes, want) in cases {
            assert_eq!(look(bytes), want, "{name}");
        }
    }
}
