//! Finds the messages of a file: one message, several with length prefixes, or JSON.

use std::io::Read;
use std::ops::Range;

use super::super::json;
use super::layout::Layout;
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, MessageFields, Value, unpack_as};

/// The keys of the two fields of `ProfilesData`.
const FIRST_FIELDS: [u8; 2] = [0x0a, 0x12];

/// The messages of a file.
#[derive(Debug)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
    /// The layout of samples, if it is known from the format.
    pub(super) layout: Option<Layout>,
}

impl Messages {
    /// Decompresses a file, and finds the messages in it.
    pub(super) fn read(
        input: impl Read,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<Self, Error> {
        let bytes = unpack_as(input, budget, check_begin)?;
        if is_text(&bytes) && !is_message(&bytes) {
            return Self::of_json(&bytes, budget);
        }
        let places = match is_prefixed(&bytes) {
            true => prefixed(&bytes, flaws),
            false => std::iter::once(0..bytes.len()).collect(),
        };
        Ok(Self {
            bytes,
            places,
            layout: None,
        })
    }

    fn of_json(text: &[u8], budget: &mut MemoryBudget) -> Result<Self, Error> {
        // Each message is copied into its parent.
        budget.check(text.len().saturating_mul(2))?;
        let read = json::messages(text).map_err(|offset| Error::Malformed {
            offset,
            reason: "JSON that is damaged, or is not a profile of OpenTelemetry",
        })?;
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for message in read {
            budget.take(message.len())?;
            let start = bytes.len();
            bytes.extend(message);
            places.push(start..bytes.len());
        }
        Ok(Self {
            bytes,
            places,
            layout: Some(Layout::Since1_10),
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let places = self.places.iter().cloned();
        places.filter_map(|place| self.bytes.get(place))
    }
}

fn is_text(begin: &[u8]) -> bool {
    begin.trim_ascii_start().starts_with(b"{")
}

/// Whether bytes are a whole message. The first bytes of a message can look like text: 0x0a is a
/// line end and also the key of the first field, a length can be white space, and an attribute key
/// can start with a brace. But no text is a whole message.
fn is_message(bytes: &[u8]) -> bool {
    let mut fields = MessageFields::new(bytes);
    loop {
        match fields.next() {
            Ok(Some((1 | 2, Value::Bytes(_)))) => {}
            Ok(Some(_)) | Err(_) => return false,
            Ok(None) => return true,
        }
    }
}

/// Whether messages have length prefixes, as written by OpenTelemetry's Collector. Their first byte
/// is the highest of the length; if it were the key of a field, the message would have 160 MiB.
fn is_prefixed(begin: &[u8]) -> bool {
    let first = begin.first();
    first.is_some_and(|first| !FIRST_FIELDS.contains(first)) && !is_text(begin)
}

fn check_begin(begin: &[u8]) -> Result<(), Error> {
    if is_text(begin) {
        return Ok(());
    }
    if !is_prefixed(begin) {
        return MessageFields::check_begin(begin);
    }
    let message = begin.get(4..).filter(|rest| {
        let first = rest.first();
        first.is_none_or(|first| FIRST_FIELDS.contains(first))
    });
    let message = message.ok_or(Error::Malformed {
        offset: 0,
        reason: "neither a message of OpenTelemetry's profiles nor the length of one",
    })?;
    let length = begin.first_chunk().copied().map_or(0, u32::from_be_bytes);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    MessageFields::check_begin(message.get(..length).unwrap_or(message))
}

fn prefixed(bytes: &[u8], flaws: &mut Flaws) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut at = 0_usize;
    while let Some((length, rest)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk()) {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let start = at.saturating_add(4);
        let end = start.saturating_add(length.min(rest.len()));
        if length > rest.len() {
            flaws.count(CUT_OFF);
        }
        places.push(start..end);
        at = end;
    }
    if at < bytes.len() {
        flaws.count(CUT_OFF);
    }
    places
}

const CUT_OFF: &str = "messages that are cut off at the end of the file";

#[cfg(test)]
mod tests {
    use super::{is_message, is_text};

    #[test]
    fn a_message_that_begins_like_a_text_is_a_message() {
        let message = b"\n\t{\"a\":1}  ";
        assert!(is_text(message) && is_message(message));
        for text in [&b"{\"resourceProfiles\":[]}"[..], b"\n{}", b"\n\t{\"a\":1}"] {
            assert!(is_text(text) && !is_message(text), "{text:?}");
        }
    }
}
