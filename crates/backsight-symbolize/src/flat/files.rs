//! The source files of all units, each once.

use std::collections::HashMap;

use crate::dwarf::PathParts;
use crate::index::{FileRecord, Le32, NONE, PointerMap, push_text};

/// Files on their way into an index.
#[derive(Debug, Default)]
pub(super) struct Files {
    records: Vec<FileRecord>,
    strings: Vec<u8>,
    /// By where the parts stand, which is the same for many units since linkers
    /// merge strings: joining them is what costs.
    by_parts: PointerMap<[(usize, usize); 3], u32>,
    directories: HashMap<String, u32>,
    by_record: HashMap<(u32, String), u32>,
    limit: usize,
}

impl Files {
    /// `limit` is the most bytes a path may have.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Returns the file's row, or [`NONE`] when its path is too long.
    pub(super) fn add(&mut self, parts: &PathParts<'_>) -> u32 {
        let key = parts.addresses();
        if let Some(row) = self.by_parts.get(&key) {
            return *row;
        }
        let row = match parts.join(self.limit) {
            Some(path) => self.add_path(&path),
            None => NONE,
        };
        self.by_parts.insert(key, row);
        row
    }

    fn add_path(&mut self, path: &str) -> u32 {
        let (directory, name) = match path.rsplit_once('/') {
            // A name that is empty would stand for no name.
            Some((directory, name)) if !directory.is_empty() && !name.is_empty() => {
                (directory, name)
            }
            _ => ("", path),
        };
        let directory = match self.directories.get(directory) {
            Some(at) => *at,
            None => {
                let at = self.add_text(directory);
                self.directories.insert(directory.to_owned(), at);
                at
            }
        };
        let key = (directory, name.to_owned());
        if let Some(row) = self.by_record.get(&key) {
            return *row;
        }
        let row = u32::try_from(self.records.len()).unwrap_or(NONE);
        let at = self.add_text(name);
        self.records.push(FileRecord {
            directory: Le32::new(directory),
            name: Le32::new(at),
        });
        self.by_record.insert(key, row);
        row
    }

    /// Stores a text that is not there yet, and returns where it starts. The place
    /// 0 says that there is none.
    fn add_text(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        let at = u32::try_from(self.strings.len()).unwrap_or(0);
        push_text(&mut self.strings, text.as_bytes());
        at
    }

    /// Returns the files, and the bytes of their texts, which stand behind so many
    /// others.
    pub(super) fn into_tables(self, before: usize) -> (Vec<FileRecord>, Vec<u8>) {
        // A table that outgrows 32 bits has texts that are not found, not wrong ones.
        let before = u32::try_from(before).unwrap_or(NONE);
        let moved = |at: Le32| match at.get() {
            0 => at,
            at => Le32::new(at.saturating_add(before)),
        };
        let records = self.records.into_iter();
        let records = records.map(|record| FileRecord {
            directory: moved(record.directory),
            name: moved(record.name),
        });
        (records.collect(), self.strings)
    }
}
