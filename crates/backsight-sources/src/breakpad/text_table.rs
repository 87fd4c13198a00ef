//! Paths, or names, by number.

use std::collections::HashMap;

/// How many different numbers are remembered that had no text when they were met.
const MAX_PENDING: usize = 1 << 20;

/// The offset in the file of the text of each number.
#[derive(Clone, Debug, Default)]
pub(super) struct TextTable {
    texts: Vec<(u32, u64)>,
    /// How many of the first ones are in ascending order: all of them, as files are written.
    ascending: usize,
    /// The last number that was referred to and has a text.
    last: Option<u32>,
    /// How often numbers were referred to that had no text yet.
    pending: HashMap<u32, u64>,
}

/// What was wrong with a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TextFaults {
    /// Texts whose number an earlier text in the file has.
    pub(super) repeated: usize,
    /// References to numbers that have no text.
    pub(super) missing: u64,
}

impl TextTable {
    pub(super) fn push(&mut self, number: u32, at: u64) {
        let is_behind = self.texts.last().is_none_or(|(last, _)| *last < number);
        if self.ascending == self.texts.len() && is_behind {
            self.ascending = self.ascending.saturating_add(1);
        }
        self.texts.push((number, at));
    }

    /// A record refers to this number, before or behind its text.
    pub(super) fn refer(&mut self, number: u32) {
        if self.last == Some(number) {
            return;
        }
        let known = self.texts.get(..self.ascending).unwrap_or_default();
        if known.binary_search_by_key(&number, |(it, _)| *it).is_ok() {
            self.last = Some(number);
            return;
        }
        if self.pending.len() < MAX_PENDING || self.pending.contains_key(&number) {
            let times = self.pending.entry(number).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// Sorts it, removes texts whose number an earlier text in the file has, and returns what was
    /// wrong.
    pub(super) fn finish(&mut self) -> TextFaults {
        self.texts.sort_by_key(|(number, _)| *number);
        let before = self.texts.len();
        self.texts.dedup_by_key(|(number, _)| *number);
        self.texts.shrink_to_fit();
        let pending = std::mem::take(&mut self.pending);
        let missing = pending
            .into_iter()
            .filter(|(it, _)| self.get(*it).is_none());
        TextFaults {
            repeated: before.saturating_sub(self.texts.len()),
            missing: missing.fold(0, |sum, (_, times)| sum.saturating_add(times)),
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<u64> {
        let found = self.texts.binary_search_by_key(&number, |(it, _)| *it);
        self.texts.get(found.ok()?).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::{TextFaults, TextTable};

    #[test]
    fn numbers_without_a_text_are_counted_wherever_texts_are() {
        // Texts, with references between them.
        let cases: [(&str, usize, u64); 7] = [
            ("t0 t1 r0 r1 r1", 0, 0),
            ("r0 r0 t0", 0, 0),
            ("t0 r7 r7 r8", 0, 3),
            ("t5 t3 r3 r5 r4", 0, 1),
            ("t5 r5 t3 t5 r3", 1, 0),
            ("r1 t0 r1 t0 r1 t2", 1, 3),
            ("r4294967294", 0, 1),
        ];
        for (records, repeated, missing) in cases {
            let mut table = TextTable::default();
            for record in records.split(' ') {
                let (kind, number) = record.split_at(1);
                let number = number.parse().unwrap();
                match kind {
                    "t" => table.push(number, 0),
                    _ => table.refer(number),
                }
            }
            let want = TextFaults { repeated, missing };
            assert_eq!(table.finish(), want, "{records}");
        }
    }
}
