//! The string table: each text is stored once, and is referred to by its offset.
//!
//! A text is its length (ULEB128) and its bytes. Offset 0 means that there is no text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rayon::prelude::*;

/// The string table while an index is built.
///
/// Duplicates are found by the address and length of the source bytes, not by their
/// contents: linkers have already merged equal strings, and hashing a pointer costs far
/// less than hashing a mangled name. The bytes are copied at the end, by all threads.
#[derive(Debug)]
pub(crate) struct IndexStrings<'d> {
    texts: Vec<&'d [u8]>,
    /// The offset of the next text.
    end: usize,
    known: PointerMap<(usize, usize), u32>,
}

/// Texts that one thread copies at a time.
const STRINGS_PER_TASK: usize = 4096;

impl<'d> IndexStrings<'d> {
    /// Reserves room for this many texts.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            texts: Vec::with_capacity(count),
            end: 1,
            known: PointerMap::with_capacity_and_hasher(count, BuildHasherDefault::default()),
        }
    }

    /// Returns the offset of `text`, and adds it if it is new.
    ///
    /// Returns 0 for an empty text, and if the table is full, at 4 GiB.
    pub(crate) fn add(&mut self, text: &'d [u8]) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let key = (text.as_ptr().addr(), text.len());
        if let Some(at) = self.known.get(&key) {
            return *at;
        }
        let Ok(at) = u32::try_from(self.end) else {
            return 0;
        };
        self.end = self.end.saturating_add(stored_size(text));
        self.texts.push(text);
        self.known.insert(key, at);
        at
    }

    /// Returns the size of all texts in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.end
    }

    /// Returns the texts, followed by `other_texts`.
    pub(crate) fn into_bytes(self, other_texts: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; self.end.saturating_add(other_texts.len())];
        let (_, mut rest) = bytes.split_at_mut(1);
        let mut rooms = Vec::new();
        for texts in self.texts.chunks(STRINGS_PER_TASK) {
            let size = texts.iter().map(|text| stored_size(text)).sum();
            let (room, after) = rest.split_at_mut(size);
            rooms.push((room, texts));
            rest = after;
        }
        rest.copy_from_slice(other_texts);
        rooms.into_par_iter().for_each(|(room, texts)| {
            let mut room = room;
            for text in texts {
                room = write(room, text);
            }
        });
        bytes
    }
}

/// Writes a text to the start of `room`, and returns the rest of `room`.
fn write<'r>(mut room: &'r mut [u8], text: &[u8]) -> &'r mut [u8] {
    let mut length = text.len();
    loop {
        let more = length >= 0x80;
        let bits = u8::try_from(length & 0x7f).unwrap_or(0);
        let Some((to, after)) = room.split_first_mut() else {
            return &mut [];
        };
        *to = bits | u8::from(more) << 7;
        room = after;
        length >>= 7;
        if !more {
            break;
        }
    }
    let Some((to, after)) = room.split_at_mut_checked(text.len()) else {
        return &mut [];
    };
    to.copy_from_slice(text);
    after
}

/// Returns the size in bytes of a text with its length.
fn stored_size(text: &[u8]) -> usize {
    // Each byte has seven bits of the length.
    let bits = usize::BITS.saturating_sub(text.len().leading_zeros());
    let length = usize::try_from(bits.div_ceil(7)).unwrap_or(0).max(1);
    length.saturating_add(text.len())
}

/// Appends a text.
pub(crate) fn push(bytes: &mut Vec<u8>, text: &[u8]) {
    let start = bytes.len();
    bytes.resize(start.saturating_add(stored_size(text)), 0);
    write(bytes.get_mut(start..).unwrap_or_default(), text);
}

/// Returns the text at the offset `at`; `None` for 0 and for an offset outside of the
/// table.
#[inline]
pub(crate) fn get(table: &[u8], at: u32) -> Option<&[u8]> {
    let mut rest = table.get(usize::try_from(at).ok().filter(|at| *at > 0)?..)?;
    let mut length: usize = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return rest.get(..length);
        }
    }
    None
}

/// A map whose keys are addresses, or numbers derived from them.
pub(crate) type PointerMap<K, V> = HashMap<K, V, BuildHasherDefault<PointerHasher>>;

/// Clears a map that will have about `next` entries. A far larger map is replaced: keys
/// would be distributed over all of it and cause cache misses.
pub(crate) fn empty<K, V>(map: &mut PointerMap<K, V>, next: usize) {
    if map.capacity() / 8 > next {
        *map = PointerMap::default();
    } else {
        map.clear();
    }
}

/// Hashes a pointer and a length. It need not resist attacks, as an attacker cannot
/// choose the addresses.
#[derive(Debug, Default)]
pub(crate) struct PointerHasher(u64);

impl Hasher for PointerHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.write_u64(u64::try_from(value).unwrap_or(0));
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        // Fibonacci hashing: the multiplier distributes adjacent values over the whole
        // range.
        let mixed = (self.0.rotate_left(32) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

#[cfg(test)]
mod tests {
    use super::{IndexStrings, get};

    #[test]
    fn a_text_is_stored_once_and_found_again() {
        let long = "x".repeat(70_000);
        let texts = ["main", "", "ä\u{fffd}", &long, &long[..127], &long[..128]];
        let mut table = IndexStrings::with_capacity(4);
        let starts: Vec<u32> = texts
            .iter()
            .map(|text| table.add(text.as_bytes()))
            .collect();
        let again: Vec<u32> = texts
            .iter()
            .map(|text| table.add(text.as_bytes()))
            .collect();
        assert_eq!(starts, again);
        let end = table.bytes();
        let bytes = table.into_bytes(b"behind");
        assert_eq!(bytes.get(end..), Some(b"behind".as_slice()));
        let back: Vec<Option<&[u8]>> = starts.iter().map(|at| get(&bytes, *at)).collect();
        let want = texts.map(|text| Some(text.as_bytes()).filter(|text| !text.is_empty()));
        assert_eq!(back, want);
    }

    #[test]
    fn a_length_past_the_end_is_no_text() {
        let cases: [(&[u8], u32); 5] = [
            (b"\0\x05abc", 1),
            (b"\0\xff\xff\xff\xff\xff\xff", 1),
            (b"\0", 1),
            (b"\0", u32::MAX),
            (b"\0\x80", 1),
        ];
        for (table, at) in cases {
            assert_eq!(get(table, at), None, "{table:?} at {at}");
        }
    }
}
