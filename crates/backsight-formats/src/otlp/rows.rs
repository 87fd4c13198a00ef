//! A table of a dictionary that is written: encoded messages, each once.

use std::hash::BuildHasher as _;
use std::io::{self, Write};

use hashbrown::{DefaultHashBuilder, HashTable};
use prost::Message;

/// Messages in the order in which they were first asked for, behind the zero element.
#[derive(Debug)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    places: HashTable<i32>,
    hasher: DefaultHashBuilder,
    scratch: Vec<u8>,
}

impl Rows {
    pub(super) fn new() -> Self {
        let mut rows = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            scratch: Vec::new(),
        };
        // A message of nothing but defaults is encoded as nothing.
        rows.place(&());
        rows
    }

    /// Returns the place of a message, which is taken in if it is new; that of the zero
    /// element, when there are 2^31.
    pub(super) fn place(&mut self, message: &impl Message) -> i32 {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        // A vector grows as it must: there is always room.
        let place = match message.encode(&mut scratch) {
            Ok(()) => self.place_of(&scratch),
            Err(_) => 0,
        };
        self.scratch = scratch;
        place
    }

    fn place_of(&mut self, row: &[u8]) -> i32 {
        let hash = self.hasher.hash_one(row);
        let Self { bytes, ends, .. } = self;
        let is_it = |place: &i32| get(bytes, ends, *place) == Some(row);
        if let Some(place) = self.places.find(hash, is_it) {
            return *place;
        }
        let Ok(place) = i32::try_from(ends.len()) else {
            return 0;
        };
        bytes.extend_from_slice(row);
        ends.push(bytes.len());
        let hasher = &self.hasher;
        let rehash = |place: &i32| hasher.hash_one(get(bytes, ends, *place).unwrap_or_default());
        self.places.insert_unique(hash, place, rehash);
        place
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..).map_while(|place| get(&self.bytes, &self.ends, place))
    }
}

fn get<'a>(bytes: &'a [u8], ends: &[usize], place: i32) -> Option<&'a [u8]> {
    let place = usize::try_from(place).ok()?;
    let end = *ends.get(place)?;
    let start = match place.checked_sub(1) {
        Some(before) => *ends.get(before)?,
        None => 0,
    };
    bytes.get(start..end)
}

/// Returns how many bytes a field takes that holds this many.
pub(super) fn field_len(bytes: usize) -> usize {
    // One byte tells the field, as all have numbers below 16.
    let head = prost::length_delimiter_len(bytes).saturating_add(1);
    head.saturating_add(bytes)
}

/// Writes the beginning of a field that holds so many bytes.
pub(super) fn write_head(field: u8, bytes: usize, mut out: impl Write) -> io::Result<()> {
    let mut head = vec![field << 3 | 2];
    prost::encode_length_delimiter(bytes, &mut head).map_err(io::Error::other)?;
    out.write_all(&head)
}

#[cfg(test)]
mod tests {
    use super::{Rows, field_len, write_head};

    #[test]
    fn a_message_stands_once_and_the_zero_first() {
        let mut rows = Rows::new();
        let texts = ["b", "", "a", "b"].map(|text| rows.place(&text.to_owned()));
        assert_eq!(texts, [1, 0, 2, 1]);
        // A string by itself is a message with that string as its first field.
        let all: Vec<_> = rows.iter().collect();
        assert_eq!(all, [&b""[..], b"\x0a\x01b", b"\x0a\x01a"]);
    }

    #[test]
    fn a_field_takes_its_head_and_its_bytes() {
        for bytes in [0, 1, 127, 128, 20_000] {
            let mut head = Vec::new();
            write_head(15, bytes, &mut head).unwrap();
            assert_eq!(head.len() + bytes, field_len(bytes));
        }
    }
}
