//! Merges the source files of all units, without duplicates.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::path::PathParts;
use crate::format::{FileRecord, Le32, NONE, PointerMap, push_text};

/// The table of source files while an index is built.
#[derive(Debug, Default)]
pub(super) struct FileMerger<'d> {
    records: Vec<FileRecord>,
    strings: Vec<u8>,
    /// Rows by the addresses of the path's parts. Linkers merge strings, so many units
    /// have the same addresses, and joining the parts again is avoided.
    by_parts: PointerMap<[(usize, usize); 3], u32>,
    /// Directories by the addresses of their parts, if they are absolute.
    by_directory: PointerMap<[(usize, usize); 2], Option<JoinedDirectory>>,
    directories: HashMap<String, u32>,
    by_record: HashMap<(u32, Cow<'d, str>), u32>,
    limit: usize,
}

/// An absolute directory, to which a slash and a file name are appended.
#[derive(Clone, Copy, Debug)]
struct JoinedDirectory {
    row: u32,
    /// The length in bytes.
    length: usize,
}

impl<'d> FileMerger<'d> {
    /// `limit` is the maximum length of a path in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Returns the file's row, or [`NONE`] if its path is too long.
    pub(super) fn add(&mut self, parts: &PathParts<'d>) -> u32 {
        let key = parts.addresses();
        if let Some(row) = self.by_parts.get(&key) {
            return *row;
        }
        let row = match self.add_plain(parts) {
            Some(row) => row,
            None => parts
                .join(self.limit)
                .map_or(NONE, |path| self.add_path(&path)),
        };
        self.by_parts.insert(key, row);
        row
    }

    /// Adds a file whose path is an absolute directory, a slash and a name, without
    /// joining them. This applies to nearly all files. Returns `None` for others, and if
    /// the path is too long.
    fn add_plain(&mut self, parts: &PathParts<'d>) -> Option<u32> {
        let name = std::str::from_utf8(parts.name).ok()?;
        if name.is_empty() || name.contains(['/', '\\']) {
            return None;
        }
        let [comp_dir, dir, _] = parts.addresses();
        let directory = match self.by_directory.get(&[comp_dir, dir]) {
            Some(known) => *known,
            None => {
                let directory = self.add_absolute(parts);
                self.by_directory.insert([comp_dir, dir], directory);
                directory
            }
        };
        let directory = directory?;
        let length = directory.length.checked_add(1)?.checked_add(name.len())?;
        (length <= self.limit).then(|| self.add_record(directory.row, Cow::Borrowed(name)))
    }

    fn add_absolute(&mut self, parts: &PathParts<'d>) -> Option<JoinedDirectory> {
        let directory = parts.join_directory(self.limit)?;
        let is_plain = directory.starts_with('/') && !directory.ends_with('/');
        is_plain.then(|| JoinedDirectory {
            row: self.add_directory(&directory),
            length: directory.len(),
        })
    }

    fn add_path(&mut self, path: &str) -> u32 {
        let (directory, name) = match path.rsplit_once('/') {
            // An empty name would mean that there is no name.
            Some((directory, name)) if !directory.is_empty() && !name.is_empty() => {
                (directory, name)
            }
            _ => ("", path),
        };
        let directory = self.add_directory(directory);
        self.add_record(directory, Cow::Owned(name.to_owned()))
    }

    fn add_directory(&mut self, directory: &str) -> u32 {
        if let Some(at) = self.directories.get(directory) {
            return *at;
        }
        let at = self.add_text(directory);
        self.directories.insert(directory.to_owned(), at);
        at
    }

    fn add_record(&mut self, directory: u32, name: Cow<'d, str>) -> u32 {
        let key = (directory, name);
        if let Some(row) = self.by_record.get(&key) {
            return *row;
        }
        let row = u32::try_from(self.records.len()).unwrap_or(NONE);
        let at = self.add_text(&key.1);
        self.records.push(FileRecord {
            directory: Le32::new(directory),
            name: Le32::new(at),
        });
        self.by_record.insert(key, row);
        row
    }

    /// Stores a new text, and returns its offset; 0 for an empty one.
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

    /// Returns the number of files.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the files and their texts. The texts will follow `before` other bytes.
    pub(super) fn into_tables(self, before: usize) -> (Vec<FileRecord>, Vec<u8>) {
        // If the offsets exceed 32 bits, texts are not found, but never wrong.
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

#[cfg(test)]
mod tests {
    use super::FileMerger;
    use crate::build::path::PathParts;
    use crate::format::{NONE, text_at};

    /// Longer than all but one of the paths below.
    const LIMIT: usize = 40;

    fn path_of(files: &FileMerger<'_>, row: u32) -> Option<String> {
        let record = files.records.get(usize::try_from(row).ok()?)?;
        let text = |at: u32| text_at(&files.strings, at).map(String::from_utf8_lossy);
        let name = text(record.name.get()).unwrap_or_default();
        Some(match text(record.directory.get()) {
            Some(directory) => format!("{directory}/{name}"),
            None => name.into_owned(),
        })
    }

    #[test]
    fn a_path_is_that_of_its_parts() {
        let parts: [(&str, &str, &[u8]); 16] = [
            ("/src", "lib", b"a.c"),
            ("/src", "lib", b"b.c"),
            ("/src", "", b"a.c"),
            ("/src/", "", b"a.c"),
            ("", "", b"a.c"),
            ("", "lib", b"a.c"),
            ("/", "", b"a.c"),
            ("/src", "/usr/include", b"stdio.h"),
            ("/src", "lib", b"../a.c"),
            ("/src", "lib", b"/abs/a.c"),
            ("/src", "lib", b""),
            ("/src", "lib", b"\xff.c"),
            ("C:\\src", "lib", b"a.c"),
            ("/src", "C:\\lib", b"a.c"),
            ("/src", "lib", b"C:\\a.c"),
            ("/src", "lib", b"0123456789012345678901234567890123456789"),
        ];
        let mut files = FileMerger::new(LIMIT);
        let mut paths = Vec::new();
        for (comp_dir, dir, name) in parts {
            let some = |part: &'static str| Some(part.as_bytes()).filter(|part| !part.is_empty());
            let parts = PathParts {
                comp_dir: some(comp_dir),
                dir: some(dir),
                name,
            };
            let row = files.add(&parts);
            assert_eq!(files.add(&parts), row);
            let want = parts.join(LIMIT);
            assert_eq!(path_of(&files, row), want, "{comp_dir} {dir} {name:?}");
            assert_eq!(row == NONE, want.is_none());
            paths.extend(want);
        }
        paths.sort();
        paths.dedup();
        assert_eq!(files.records.len(), paths.len(), "each path once");
    }
}
