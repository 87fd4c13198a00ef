//! Names of functions, and paths of files.

use std::borrow::Cow;

use super::header::Layout;
use super::table::{GoTable, TableView};
use crate::bytes::offset;
use crate::memory::Memory;

/// The text that Go prints instead of the outermost brackets of a name and their
/// contents.
const LEFT_OUT: &[u8] = b"[...]";

impl<'d> TableView<'_, 'd> {
    /// Returns a function's name as Go prints it; `None` if it has more than `limit`
    /// bytes.
    pub(super) fn name(&self, name: u32, limit: usize) -> Option<Cow<'d, [u8]>> {
        self.raw_name(name, limit).map(|(_, raw)| printed(raw))
    }

    /// Returns the offset of a function's name, and the name in the table.
    pub(super) fn raw_name(&self, name: u32, limit: usize) -> Option<(usize, &'d [u8])> {
        let at = self.name_at(name)?;
        let raw = self.bytes.text(at, limit)?;
        (!raw.is_empty()).then_some((at, raw))
    }

    /// Returns whether the offset of a function's name is not that of a name: outside the table,
    /// in the middle of another text, or of one without an end.
    pub(super) fn is_name_damaged(&self, name: u32) -> bool {
        let at = self.name_at(name);
        at.and_then(|at| self.bytes.text(at, usize::MAX)).is_none()
    }

    fn name_at(&self, name: u32) -> Option<usize> {
        let names = self.table.header.names;
        offset(names, name).filter(|at| self.begins(*at, names))
    }

    /// Whether a text begins here. Since Go 1.16 the texts of a part stand one behind the other:
    /// where the one before does not end, the part begins elsewhere, and each text would be wrong.
    fn begins(&self, at: usize, part: usize) -> bool {
        let before = || at.checked_sub(1).and_then(|at| self.bytes.byte(at));
        self.table.header.layout == Layout::Go1_2 || at == part || before() == Some(0)
    }

    /// Returns whether the file with this number in a function's runs has no path, although a
    /// linker gave it one. A negative number stands for no file.
    pub(super) fn is_path_damaged(&self, unit: u32, file: i32) -> bool {
        let has_rows = self.table.header.layout > Layout::Go1_2;
        let Some(row) = u32::try_from(file).ok().filter(|_| has_rows) else {
            return false;
        };
        let row = unit.checked_add(row).and_then(|row| row.checked_mul(4));
        let row = row.and_then(|row| offset(self.table.header.units, row));
        let is_of_none = row.and_then(|row| self.bytes.word(row)) == Some(u32::MAX);
        let path = self.path_at(unit, file);
        let path = path.and_then(|at| self.bytes.text(at, usize::MAX));
        !is_of_none && path.is_none()
    }

    /// Returns the offset of the path of the file with this number in a function's runs.
    pub(super) fn path_at(&self, unit: u32, file: i32) -> Option<usize> {
        let header = &self.table.header;
        let file = u32::try_from(file).ok()?;
        if header.layout == Layout::Go1_2 {
            // The first number is the number of rows.
            let known = self.bytes.word(header.files)?;
            let row = offset(header.files, file.checked_mul(4)?)?;
            let is_known = (1..known).contains(&file);
            return usize::try_from(self.bytes.word(row).filter(|_| is_known)?).ok();
        }
        let row = offset(header.units, unit.checked_add(file)?.checked_mul(4)?)?;
        let path = self.bytes.word(row).filter(|path| *path != u32::MAX)?;
        offset(header.files, path).filter(|at| self.begins(*at, header.files))
    }

    /// Returns the path at this offset; `None` if it has more than `limit` bytes.
    pub(super) fn path(&self, at: usize, limit: usize) -> Option<&'d [u8]> {
        self.bytes.text(at, limit).filter(|path| !path.is_empty())
    }
}

/// Returns the name as Go prints it. The text in brackets, the shape of type arguments,
/// is replaced, because the code is shared by all type arguments of that shape.
fn printed(raw: &[u8]) -> Cow<'_, [u8]> {
    let brackets = memchr::memchr(b'[', raw).zip(memchr::memrchr(b']', raw));
    let inside = brackets.filter(|(first, last)| first < last);
    let parts = inside.and_then(|(first, last)| {
        let behind = raw.get(last.checked_add(1)?..)?;
        let shown = raw.get(first..=last)? == LEFT_OUT;
        Some((raw.get(..first)?, behind)).filter(|_| !shown)
    });
    match parts {
        Some((before, behind)) => Cow::Owned([before, LEFT_OUT, behind].concat()),
        None => Cow::Borrowed(raw),
    }
}

/// The names whose printed form differs from that in the table.
#[derive(Debug, Default)]
pub struct GoNames(Vec<(usize, Box<[u8]>)>);

impl GoNames {
    /// Returns the printed name at this offset of the table.
    pub(super) fn printed<'n>(&'n self, at: usize, raw: &'n [u8]) -> Option<&'n [u8]> {
        match self.0.binary_search_by_key(&at, |known| known.0) {
            Ok(found) => self.0.get(found).map(|known| &*known.1),
            // A forged offset may point into the middle of a name.
            Err(_) => matches!(printed(raw), Cow::Borrowed(_)).then_some(raw),
        }
    }
}

impl GoTable {
    /// Reads the names whose printed form differs from that in the table.
    #[must_use]
    pub fn names(&self, memory: &Memory<'_>) -> GoNames {
        let Some(view) = self.view(memory) else {
            return GoNames::default();
        };
        // Earlier linkers wrote names in their printed form.
        if self.header.layout < Layout::Go1_20 {
            return GoNames::default();
        }
        let all = self.header.names..self.header.units;
        let all = view.bytes.all.get(all).unwrap_or_default();
        let mut names = Vec::new();
        let mut begin = 0_usize;
        for bracket in memchr::memchr_iter(b'[', all) {
            if bracket < begin {
                continue;
            }
            let before = all.get(begin..bracket).unwrap_or_default();
            let start = memchr::memrchr(0, before);
            let start = start.map_or(begin, |nul| begin.saturating_add(nul).saturating_add(1));
            let rest = all.get(start..).unwrap_or_default();
            let Some(length) = memchr::memchr(0, rest) else {
                break;
            };
            if let Cow::Owned(shown) = printed(rest.get(..length).unwrap_or_default()) {
                let at = self.header.names.saturating_add(start);
                names.push((at, shown.into_boxed_slice()));
            }
            begin = start.saturating_add(length);
        }
        GoNames(names)
    }
}

#[cfg(test)]
mod tests {
    use super::printed;

    #[test]
    fn type_arguments_are_not_printed() {
        let cases = [
            ("main.main", "main.main"),
            ("main.Map[go.shape.int]", "main.Map[...]"),
            ("main.Map[...]", "main.Map[...]"),
            ("main.(*L[a[b]]).Add.func1", "main.(*L[...]).Add.func1"),
            ("type:.eq.[4]string", "type:.eq.[...]string"),
            ("a]b[c", "a]b[c"),
            ("a[", "a["),
        ];
        for (raw, want) in cases {
            assert_eq!(printed(raw.as_bytes()), want.as_bytes(), "{raw}");
        }
    }
}
