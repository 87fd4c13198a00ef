//! Source files, as debug information names them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use backsight::ModuleFiles;
use backsight_files::By;
use backsight_types::BuildId;

use crate::columns::columns_of;
use crate::fetchers::Fetchers;

/// A larger file is not read.
const MAX_BYTES: u64 = 64 << 20;

/// The text of a source file.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Where it was found.
    pub(super) path: PathBuf,
    /// When it was last changed.
    pub(super) modified: Option<SystemTime>,
    lines: Vec<String>,
}

/// Why there is no text.
#[derive(Clone, Debug)]
pub(super) struct NoSource(pub(super) String);

/// Finds source files, and keeps them.
#[derive(Debug)]
pub(super) struct SourceFiles<'s> {
    dirs: &'s [PathBuf],
    roots: Vec<PathBuf>,
    servers: &'s Fetchers,
    read: HashMap<String, Result<Rc<SourceFile>, NoSource>>,
}

impl SourceFile {
    /// Returns a line, counted from 1, without the end of line, and with blanks for tabs.
    pub(super) fn line(&self, number: u32) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.lines.get(at).map(String::as_str)
    }

    /// Whether the file has so many lines.
    pub(super) fn has_line(&self, number: u32) -> bool {
        // What follows the last end of line is no line if it is empty.
        let is_ended = self.lines.last().is_some_and(String::is_empty);
        let count = self.lines.len().saturating_sub(usize::from(is_ended));
        usize::try_from(number).is_ok_and(|number| number <= count)
    }

    fn without_time(self) -> Self {
        Self {
            modified: None,
            ..self
        }
    }

    fn read(file: &File, path: &Path) -> Result<Self, NoSource> {
        let failed = |error: std::io::Error| NoSource(format!("{}: {error}", path.display()));
        let metadata = file.metadata().map_err(failed)?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(failed)?;
        if u64::try_from(bytes.len()).is_ok_and(|count| count > MAX_BYTES) {
            let cause = format!("{}: larger than 64 MiB, not read", path.display());
            return Err(NoSource(cause));
        }
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(Self {
            path: path.to_owned(),
            modified: metadata.modified().ok(),
            lines: lines.map(plain).collect(),
        })
    }
}

/// Returns a line as text, with blanks up to the next tab stop for tabs.
fn plain(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = String::from_utf8_lossy(line);
    let mut text = String::with_capacity(line.len());
    let mut column = 0_usize;
    for letter in line.chars() {
        let width = match letter {
            '\t' => 8 - column % 8,
            letter => columns_of(letter.encode_utf8(&mut [0; 4])),
        };
        match letter {
            '\t' => text.extend(std::iter::repeat_n(' ', width)),
            letter => text.push(letter),
        }
        column = column.saturating_add(width);
    }
    text
}

impl<'s> SourceFiles<'s> {
    /// Looks in these directories, then where the files of modules are looked for, and asks these
    /// servers.
    pub(super) fn new(dirs: &'s [PathBuf], files: &ModuleFiles, servers: &'s Fetchers) -> Self {
        Self {
            dirs,
            roots: files.symbols().roots.clone(),
            servers,
            read: HashMap::new(),
        }
    }

    /// Returns the file that the debug information of one of these programs calls so.
    pub(super) fn get(
        &mut self,
        name: &str,
        programs: &[BuildId],
    ) -> Result<Rc<SourceFile>, NoSource> {
        if let Some(known) = self.read.get(name) {
            return known.clone();
        }
        let found = self.find(name, programs).map(Rc::new);
        self.read.insert(name.to_owned(), found.clone());
        found
    }

    fn find(&self, name: &str, programs: &[BuildId]) -> Result<SourceFile, NoSource> {
        let path = Path::new(name);
        for dir in self.dirs {
            for part in endings(path) {
                if let Ok(file) = backsight_files::open_inside(dir, part) {
                    return SourceFile::read(&file, &dir.join(part));
                }
            }
        }
        if !path.is_absolute() {
            let cause = format!("{name} has no directory: give it with --source-dir DIR");
            return Err(NoSource(cause));
        }
        for root in &self.roots {
            if let Ok(file) = backsight_files::open_inside(root, path) {
                let inside = path.strip_prefix("/").unwrap_or(path);
                return SourceFile::read(&file, &root.join(inside));
            }
        }
        let opened = backsight_files::open(path, By::File);
        let cause = match opened {
            Ok(file) => return SourceFile::read(&file, path),
            Err(error) => error.into_error(),
        };
        let mut also = String::new();
        for id in programs {
            match self.servers.source(id, name) {
                // The cache notes in a file's time when it was last used.
                Ok(Some((file, place))) => {
                    return SourceFile::read(&file, &place).map(SourceFile::without_time);
                }
                Ok(None) => {}
                Err(fault) => also = format!("; debuginfod: {fault}"),
            }
        }
        let way_out = "see --source-dir and --debuginfod";
        Err(NoSource(format!("{name}: {cause}{also}: {way_out}")))
    }
}

/// Returns a path without its root, and the same without its first directories.
fn endings(path: &Path) -> impl Iterator<Item = &Path> {
    let has_name = |path: &&Path| !path.as_os_str().is_empty();
    let inside = path.strip_prefix("/").unwrap_or(path);
    std::iter::successors(Some(inside).filter(has_name), move |path| {
        let mut parts = path.components();
        parts.next();
        Some(parts.as_path()).filter(has_name)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{endings, plain};

    #[test]
    fn paths_lose_their_first_directories() {
        let of = |path: &'static str| {
            let all = endings(Path::new(path)).map(|part| part.to_str().unwrap());
            all.collect::<Vec<_>>()
        };
        assert_eq!(of("/a/b/c.c"), ["a/b/c.c", "b/c.c", "c.c"]);
        assert_eq!(of("c.c"), ["c.c"]);
        assert_eq!(of(""), [""; 0]);
    }

    #[test]
    fn lines_have_blanks_for_tabs() {
        let cases: [(&[u8], &str); 5] = [
            (b"\tx\r", "        x"),
            (b"ab\tx", "ab      x"),
            ("函\tx".as_bytes(), "函      x"),
            (b"\xff\tx", "\u{fffd}       x"),
            (b"", ""),
        ];
        for (line, want) in cases {
            assert_eq!(plain(line), want);
        }
    }
}
