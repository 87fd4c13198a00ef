//! Names and paths, each stored once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::index::index;

index!(
    /// The index of a string in [`Strings`].
    StrIdx
);

/// Interned strings, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    /// All strings, concatenated.
    text: String,
    /// The end of each string in `text`.
    ends: Vec<usize>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Strings {
    /// Returns the index of `text`, and adds it if it is new.
    ///
    /// # Panics
    ///
    /// With 2^32 different strings, which take at least 32 GiB of memory.
    pub fn intern(&mut self, text: &str) -> StrIdx {
        let hash = self.hasher.hash_one(text);
        let Self {
            text: all, ends, ..
        } = self;
        if let Some(place) = (self.places).find(hash, |place| get(all, ends, *place) == Some(text))
        {
            return StrIdx(*place);
        }
        let place = u32::try_from(ends.len()).expect("fewer than 2^32 strings");
        all.push_str(text);
        ends.push(all.len());
        let rehash = |place: &u32| {
            self.hasher
                .hash_one(get(all, ends, *place).unwrap_or_default())
        };
        self.places.insert_unique(hash, place, rehash);
        StrIdx(place)
    }

    /// Returns the string with this index; `None` if there is none.
    #[must_use]
    pub fn get(&self, index: StrIdx) -> Option<&str> {
        get(&self.text, &self.ends, index.0)
    }

    /// Returns the index of `text`; `None` if it was not added.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<StrIdx> {
        let hash = self.hasher.hash_one(text);
        let is_it = |place: &u32| get(&self.text, &self.ends, *place) == Some(text);
        self.places.find(hash, is_it).copied().map(StrIdx)
    }

    /// Returns the number of strings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no strings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Iterates over the strings in order of index.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..).map_while(|place| get(&self.text, &self.ends, place))
    }
}

fn get<'a>(text: &'a str, ends: &[usize], place: u32) -> Option<&'a str> {
    let place = usize::try_from(place).ok()?;
    let end = *ends.get(place)?;
    let start = match place.checked_sub(1) {
        Some(before) => *ends.get(before)?,
        None => 0,
    };
    text.get(start..end)
}

impl PartialEq for Strings {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends && self.text == other.text
    }
}

impl Eq for Strings {}

#[cfg(test)]
mod tests {
    use super::{StrIdx, Strings};

    #[test]
    fn a_string_stands_once() {
        let mut strings = Strings::default();
        for round in 0..2 {
            for (text, place) in [("", 0), ("a", 1), ("ab", 2), ("b", 3)] {
                assert_eq!(
                    strings.intern(text),
                    StrIdx(place),
                    "{text:?}, round {round}"
                );
                assert_eq!(strings.get(StrIdx(place)), Some(text));
                assert_eq!(strings.find(text), Some(StrIdx(place)));
            }
        }
        assert_eq!(strings.iter().collect::<Vec<_>>(), ["", "a", "ab", "b"]);
        assert_eq!((strings.get(StrIdx(4)), strings.find("c")), (None, None));
    }

    #[test]
    fn a_table_that_grew_still_finds_all() {
        let mut strings = Strings::default();
        let texts: Vec<String> = (0..10_000).map(|n: u32| n.to_string()).collect();
        let places: Vec<StrIdx> = texts.iter().map(|text| strings.intern(text)).collect();
        for (text, place) in texts.iter().zip(places) {
            assert_eq!(strings.intern(text), place);
            assert_eq!(strings.get(place), Some(text.as_str()));
        }
        assert_eq!(strings.len(), 10_000);
    }
}
