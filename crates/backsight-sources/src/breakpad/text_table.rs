//! Paths, or names, by number.

/// The offset in the file of the text of each number.
#[derive(Clone, Debug, Default)]
pub(super) struct TextTable(Vec<(u32, u64)>);

impl TextTable {
    pub(super) fn push(&mut self, number: u32, at: u64) {
        self.0.push((number, at));
    }

    /// Sorts it, and removes texts whose number an earlier text in the file has. Returns
    /// how many were removed.
    pub(super) fn finish(&mut self) -> usize {
        self.0.sort_by_key(|(number, _)| *number);
        let before = self.0.len();
        self.0.dedup_by_key(|(number, _)| *number);
        self.0.shrink_to_fit();
        before.saturating_sub(self.0.len())
    }

    pub(super) fn get(&self, number: u32) -> Option<u64> {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number);
        self.0.get(found.ok()?).map(|(_, at)| *at)
    }
}
