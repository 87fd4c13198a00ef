//! The context that a process publishes of itself: OpenTelemetry's resource attributes, such as
//! `service.name`, in memory that others can find.
//!
//! ```text
//!   a mapping called OTEL_CTX:   "OTEL_CTX"  version  size  published_at  payload
//!                                 8 bytes     u32      u32   u64           u64 ──▶ protobuf
//! ```
//!
//! The payload is a `ProcessContext`, which has a `Resource`; of earlier publishers it is the
//! `Resource` itself. Both are bytes of an untrusted process: lengths are checked, and what is
//! beyond the limits is counted.
//!
//! Source: OpenTelemetry Enhancement Proposal 4719; `processcontext/v1development`,
//! `resource/v1` and `common/v1` of opentelemetry-proto.

use crate::protobuf::{MessageFields, Value};

/// What the header begins with.
const SIGNATURE: &[u8] = b"OTEL_CTX";

/// The version of the format.
const VERSION: u32 = 2;

/// The most bytes of a payload that are read.
pub const MAX_PAYLOAD_BYTES: u32 = 64 << 10;

/// The most attributes that are taken.
const MAX_ATTRIBUTES: usize = 128;

/// The most bytes of a name, and of a value.
const MAX_KEY_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 1024;

/// What the mapping begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContextHeader {
    /// When it was published, in nanoseconds: it is another after a change.
    pub published_at_ns: u64,
    /// The address of the payload in the process.
    pub payload: u64,
    /// The bytes of the payload, at most [`MAX_PAYLOAD_BYTES`].
    pub size: u32,
}

/// Why a context cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The mapping has no signature: it is not published yet, or is something else.
    #[error("no signature")]
    NoSignature,
    /// The format has another version.
    #[error("a version of the format that is not known")]
    OtherVersion,
    /// The process is changing it.
    #[error("being changed")]
    BeingChanged,
    /// The payload is larger than [`MAX_PAYLOAD_BYTES`].
    #[error("a payload of more than 64 KiB")]
    TooLarge,
    /// The payload is no protobuf message.
    #[error("a payload that is malformed")]
    Malformed,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContextValue {
    /// A text; also `true` and `false`, and numbers with a fraction.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// The attributes of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContextAttributes {
    /// Their names and values, in the order of the payload, each name once.
    pub attributes: Vec<(String, ContextValue)>,
    /// Attributes that are not among them: with values of other kinds, such as lists; too long, no
    /// text, or without a name; of a name that was there before; and those above 128.
    pub left_out: u64,
}

impl ContextHeader {
    /// The bytes of a header.
    pub const BYTES: usize = 32;

    /// Reads a header, in the byte order of this machine.
    ///
    /// # Errors
    /// All of [`ContextError`] but [`ContextError::Malformed`].
    pub fn parse(bytes: &[u8; Self::BYTES]) -> Result<Self, ContextError> {
        let word = |at| bytes.get(at..).and_then(|rest| rest.first_chunk());
        let half = |at| bytes.get(at..).and_then(|rest| rest.first_chunk());
        let number = |at| word(at).copied().map_or(0, u64::from_ne_bytes);
        let small = |at| half(at).copied().map_or(0, u32::from_ne_bytes);
        if !bytes.starts_with(SIGNATURE) {
            return Err(ContextError::NoSignature);
        }
        if small(8) != VERSION {
            return Err(ContextError::OtherVersion);
        }
        let header = Self {
            published_at_ns: number(16),
            payload: number(24),
            size: small(12),
        };
        match header {
            Self {
                published_at_ns: 0, ..
            } => Err(ContextError::BeingChanged),
            Self { size, .. } if size > MAX_PAYLOAD_BYTES => Err(ContextError::TooLarge),
            _ => Ok(header),
        }
    }
}

impl ContextAttributes {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`ContextError::Malformed`].
    pub fn parse(payload: &[u8]) -> Result<Self, ContextError> {
        let mut found = Self::default();
        let mut fields = MessageFields::new(payload);
        while let Some((number, value)) = next(&mut fields)? {
            match (number, value) {
                (1, Value::Bytes(attribute)) if is_attribute(attribute) => found.add(attribute)?,
                (1, Value::Bytes(resource)) => found.add_resource(resource)?,
                (2, Value::Bytes(attribute)) => found.add(attribute)?,
                _ => {}
            }
        }
        Ok(found)
    }

    fn add_resource(&mut self, resource: &[u8]) -> Result<(), ContextError> {
        let mut fields = MessageFields::new(resource);
        while let Some((number, value)) = next(&mut fields)? {
            if let (1, Value::Bytes(attribute)) = (number, value) {
                self.add(attribute)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, attribute: &[u8]) -> Result<(), ContextError> {
        let (mut name, mut taken) = (None, None);
        let mut fields = MessageFields::new(attribute);
        while let Some((number, value)) = next(&mut fields)? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => name = text(bytes, MAX_KEY_BYTES),
                (2, Value::Bytes(bytes)) => taken = any_value(bytes)?,
                _ => {}
            }
        }
        let name = name.filter(|name| !name.is_empty());
        let is_new = |name: &String| self.attributes.iter().all(|(known, _)| known != name);
        let has_room = self.attributes.len() < MAX_ATTRIBUTES;
        match name.filter(|name| has_room && is_new(name)).zip(taken) {
            Some(attribute) => self.attributes.push(attribute),
            None => self.left_out = self.left_out.saturating_add(1),
        }
        Ok(())
    }
}

fn next<'a>(fields: &mut MessageFields<'a>) -> Result<Option<(u32, Value<'a>)>, ContextError> {
    fields.next().map_err(|_| ContextError::Malformed)
}

/// Tells an attribute from a resource: both have bytes in field 1, but the attribute's value in
/// field 2 is a message, and the name in field 1 none that has a name.
fn is_attribute(message: &[u8]) -> bool {
    let mut fields = MessageFields::new(message);
    let mut has_attributes = false;
    while let Ok(Some((number, value))) = fields.next() {
        match (number, value) {
            (2, Value::Bytes(_)) => return true,
            (1, Value::Bytes(inner)) => {
                let first = MessageFields::new(inner).next();
                has_attributes |= matches!(first, Ok(Some((1, Value::Bytes(_)))));
            }
            _ => {}
        }
    }
    !has_attributes && !message.is_empty()
}

/// Reads an `AnyValue`; `None` for one that is not taken.
fn any_value(message: &[u8]) -> Result<Option<ContextValue>, ContextError> {
    let mut found = None;
    let mut fields = MessageFields::new(message);
    while let Some((number, value)) = next(&mut fields)? {
        found = match (number, value) {
            (1, Value::Bytes(bytes)) => text(bytes, MAX_VALUE_BYTES).map(ContextValue::Text),
            (2, Value::Varint(number)) => Some(ContextValue::Text((number != 0).to_string())),
            (3, Value::Varint(number)) => Some(ContextValue::Number(number.cast_signed())),
            (4, Value::Fixed64(bits)) => Some(ContextValue::Text(f64::from_bits(bits).to_string())),
            _ => None,
        };
    }
    Ok(found)
}

fn text(bytes: &[u8], most: usize) -> Option<String> {
    let fits = Some(bytes).filter(|bytes| bytes.len() <= most)?;
    str::from_utf8(fits).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{ContextAttributes, ContextError, ContextHeader, ContextValue, MAX_PAYLOAD_BYTES};

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut all = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length > 127 {
            all.push(u8::try_from(length & 127).unwrap() | 128);
            length >>= 7;
        }
        all.push(u8::try_from(length).unwrap());
        all.extend_from_slice(bytes);
        all
    }

    fn attribute(name: &str, value: &[u8]) -> Vec<u8> {
        [field(1, name.as_bytes()), field(2, value)].concat()
    }

    fn of_text(name: &str, value: &str) -> Vec<u8> {
        attribute(name, &field(1, value.as_bytes()))
    }

    #[test]
    fn attributes_are_read_from_both_kinds_of_payload() {
        let all = [
            of_text("service.name", "shop"),
            attribute("flag", &[2 << 3, 1]),
            attribute("number", &[3 << 3, 7]),
            attribute(
                "part",
                &[&[4 << 3 | 1][..], &1.5_f64.to_le_bytes()].concat(),
            ),
            // A list, no name, no text, a second one of the name.
            attribute("list", &field(5, b"")),
            of_text("", "nameless"),
            attribute("bytes", &field(1, b"\xff")),
            of_text("service.name", "another"),
            of_text("long", &"x".repeat(1025)),
        ];
        let mut resource: Vec<u8> = all.iter().flat_map(|it| field(1, it)).collect();
        // The attributes that were dropped.
        resource.extend([2 << 3, 3]);
        let text = |text: &str| ContextValue::Text(text.to_owned());
        let want = [
            ("service.name", text("shop")),
            ("flag", text("true")),
            ("number", ContextValue::Number(7)),
            ("part", text("1.5")),
        ];
        let want: Vec<_> = want.map(|(name, value)| (name.to_owned(), value)).into();
        let bare = ContextAttributes::parse(&resource).unwrap();
        assert_eq!((&bare.attributes, bare.left_out), (&want, 5));
        let more = of_text("more", "yes");
        let context = [field(1, &resource), field(2, &more)].concat();
        let found = ContextAttributes::parse(&context).unwrap();
        assert_eq!(found.attributes[..4], want);
        assert_eq!(found.attributes[4].0, "more");
        assert_eq!(found.left_out, 5);
        assert_eq!(
            ContextAttributes::parse(b"").unwrap(),
            ContextAttributes::default()
        );
        assert_eq!(
            ContextAttributes::parse(&field(1, b"")).unwrap(),
            ContextAttributes::default()
        );
    }

    #[test]
    fn what_is_damaged_is_said() {
        let resource = field(1, &of_text("service.name", "shop"));
        let whole = field(1, &resource);
        for end in 1..whole.len() {
            assert_eq!(
                ContextAttributes::parse(&whole[..end]),
                Err(ContextError::Malformed),
                "{end}"
            );
        }
        let many: Vec<u8> = (0..200)
            .flat_map(|number| field(1, &of_text(&number.to_string(), "x")))
            .collect();
        let many = ContextAttributes::parse(&many).unwrap();
        assert_eq!((many.attributes.len(), many.left_out), (128, 72));
    }

    #[test]
    fn a_header_is_checked() {
        let header = |version: u32, size: u32, published: u64| {
            let mut bytes = [0; ContextHeader::BYTES];
            bytes[..8].copy_from_slice(b"OTEL_CTX");
            bytes[8..12].copy_from_slice(&version.to_ne_bytes());
            bytes[12..16].copy_from_slice(&size.to_ne_bytes());
            bytes[16..24].copy_from_slice(&published.to_ne_bytes());
            bytes[24..].copy_from_slice(&0x1234_u64.to_ne_bytes());
            bytes
        };
        let found = ContextHeader::parse(&header(2, 40, 5)).unwrap();
        assert_eq!(
            (found.published_at_ns, found.payload, found.size),
            (5, 0x1234, 40)
        );
        for (bytes, want) in [
            ([0; ContextHeader::BYTES], ContextError::NoSignature),
            (header(1, 40, 5), ContextError::OtherVersion),
            (header(2, 40, 0), ContextError::BeingChanged),
            (header(2, MAX_PAYLOAD_BYTES + 1, 5), ContextError::TooLarge),
        ] {
            assert_eq!(ContextHeader::parse(&bytes), Err(want));
        }
    }
}
