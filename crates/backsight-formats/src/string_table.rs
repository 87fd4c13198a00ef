//! The string table of a file that is written: each string once, the empty string first.

use std::collections::HashMap;

use backsight_profile::{StrIdx, Strings};
use backsight_types::Module;

/// Strings in the order of their first use.
///
/// Strings of the profile are not copied, but looked up when the table is written.
#[derive(Debug)]
pub(crate) struct StringTable<'a> {
    strings: &'a Strings,
    /// The index in the table of each string of the profile; 0 if it is not used yet.
    places: Vec<i64>,
    own: HashMap<String, i64>,
    rows: Vec<StringRow>,
}

#[derive(Debug)]
enum StringRow {
    Profile(StrIdx),
    Own(String),
}

impl<'a> StringTable<'a> {
    pub(crate) fn new(strings: &'a Strings) -> Self {
        Self {
            strings,
            places: vec![0; strings.len()],
            own: HashMap::new(),
            rows: Vec::new(),
        }
    }

    /// Returns the index of a string of the profile, and adds it if it is new; 0, the index of the
    /// empty string, if the profile has no such string.
    pub(crate) fn place(&mut self, index: StrIdx) -> i64 {
        let next = self.next();
        let Some(place) = self.places.get_mut(index.as_usize()) else {
            return 0;
        };
        if *place == 0 && self.strings.get(index).is_some_and(|text| !text.is_empty()) {
            *place = next;
            self.rows.push(StringRow::Profile(index));
        }
        *place
    }

    /// Returns the index of a string that need not be in the profile, and adds it if it is new.
    pub(crate) fn own(&mut self, text: &str) -> i64 {
        if text.is_empty() {
            return 0;
        }
        if let Some(index) = self.strings.find(text) {
            return self.place(index);
        }
        if let Some(place) = self.own.get(text) {
            return *place;
        }
        let place = self.next();
        self.own.insert(text.to_owned(), place);
        self.rows.push(StringRow::Own(text.to_owned()));
        place
    }

    fn next(&self) -> i64 {
        // The empty string precedes all rows.
        let behind = self.rows.len().saturating_add(1);
        i64::try_from(behind).unwrap_or(i64::MAX)
    }

    /// Iterates over the whole table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let rows = self.rows.iter().map(|row| match row {
            StringRow::Profile(index) => self.strings.get(*index).unwrap_or_default(),
            StringRow::Own(text) => text.as_str(),
        });
        std::iter::once("").chain(rows)
    }
}

/// Converts bytes to text; bytes that are not UTF-8 become `\xNN`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Returns the path of a module as text, with ` (deleted)` as the kernel prints it.
pub(crate) fn file_name(module: &Module) -> String {
    let mut name = shown(&module.path);
    if module.deleted {
        name.push_str(" (deleted)");
    }
    name
}

#[cfg(test)]
mod tests {
    use backsight_profile::Strings;

    use super::{StringTable, shown};

    #[test]
    fn each_text_stands_once_and_the_empty_one_first() {
        let mut strings = Strings::default();
        let [unused, empty, main] = ["unused", "", "main"].map(|text| strings.intern(text));
        let mut table = StringTable::new(&strings);
        let places = [
            table.own("libc.so.6"),
            table.place(main),
            table.own("main"),
            table.place(empty),
            table.own(""),
            table.own("libc.so.6"),
        ];
        assert_eq!(places, [1, 2, 2, 0, 0, 1]);
        assert_eq!(table.iter().collect::<Vec<_>>(), ["", "libc.so.6", "main"]);
        assert_eq!(table.place(unused), 3);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown() {
        assert_eq!(shown(b"/tmp/\xff\xc3\xa4\xc3"), "/tmp/\\xffä\\xc3");
    }
}
