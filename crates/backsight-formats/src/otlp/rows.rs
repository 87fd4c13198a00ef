//! A table of a dictionary that is written: encoded messages, each once.

use std::hash::BuildHasher as _;
use std::io::{self, Write};

use hashbrown::{DefaultHashBuilder, HashTable};
use prost::Message;

/// Messages in the order of their first use, after the empty message.
#[derive(Debug)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    /// The end offset of each message.
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
        // A message with only default values is encoded as zero bytes.
        rows.place(&());
        rows
    }

    /// Returns the index of a message, and adds it if it is new; 0 if the table is full, at 2^31
    /// messages.
    pub(super) fn place(&mut self, message: &impl Message) -> i32 {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        // Encoding into a vector does not run out of space.
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

/// Returns the encoded size of a field whose value has so many bytes.
pub(super) fn field_len(bytes: usize) -> usize {
    // The key takes one byte, because all field numbers are below 16.
    let head = prost::length_delimiter_len(bytes).saturating_add(1);
    head.saturating_add(bytes)
}

/// Writes the key and length of a field whose value has so many bytes.
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
        // A string as a message is a message with the string as its first field.
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
