//! Names of functions, and paths of files.

use std::borrow::Cow;

use super::header::Layout;
use super::table::{GoTable, TableView};
use crate::bytes::offset;
use crate::memory::Memory;

/// What is between the outermost brackets of a name is not printed.
const LEFT_OUT: &[u8] = b"[...]";

impl<'d> TableView<'_, 'd> {
    /// Returns a function's name as Go prints it, unless it has more than `limit` bytes.
    pub(super) fn name(&self, name: u32, limit: usize) -> Option<Cow<'d, [u8]>> {
        self.raw_name(name, limit).map(|(_, raw)| printed(raw))
    }

    /// Returns a function's name as the table has it, and where it stands.
    pub(super) fn raw_name(&self, name: u32, limit: usize) -> Option<(usize, &'d [u8])> {
        let at = offset(self.table.header.names, name)?;
        let raw = self.bytes.text(at, limit)?;
        (!raw.is_empty()).then_some((at, raw))
    }

    /// Whether a function's name leads out of the table, or has no end.
    pub(super) fn is_name_damaged(&self, name: u32) -> bool {
        let at = offset(self.table.header.names, name);
        at.and_then(|at| self.bytes.text(at, usize::MAX)).is_none()
    }

    /// Returns where the path of a file stands, of which a function's runs have this number.
    pub(super) fn path_at(&self, unit: u32, file: i32) -> Option<usize> {
        let header = &self.table.header;
        let file = u32::try_from(file).ok()?;
        if header.layout == Layout::Go1_2 {
            // The first number is how many there are.
            let known = self.bytes.word(header.files)?;
            let row = offset(header.files, file.checked_mul(4)?)?;
            let is_known = (1..known).contains(&file);
            return usize::try_from(self.bytes.word(row).filter(|_| is_known)?).ok();
        }
        let row = offset(header.units, unit.checked_add(file)?.checked_mul(4)?)?;
        let path = self.bytes.word(row).filter(|path| *path != u32::MAX)?;
        offset(header.files, path)
    }

    /// Returns the path that stands there, unless it has more than `limit` bytes.
    pub(super) fn path(&self, at: usize, limit: usize) -> Option<&'d [u8]> {
        self.bytes.text(at, limit).filter(|path| !path.is_empty())
    }
}

/// Returns the name as it is printed: without what is between brackets, which is the shape
/// of type arguments that was compiled once for all that have it.
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

/// Names that are printed otherwise than the table has them.
#[derive(Debug, Default)]
pub struct GoNames(Vec<(usize, Box<[u8]>)>);

impl GoNames {
    /// Returns the name that stands at this offset of the table.
    pub(super) fn printed<'n>(&'n self, at: usize, raw: &'n [u8]) -> Option<&'n [u8]> {
        match self.0.binary_search_by_key(&at, |known| known.0) {
            Ok(found) => self.0.get(found).map(|known| &*known.1),
            // A forged offset may lead into the middle of one.
            Err(_) => matches!(printed(raw), Cow::Borrowed(_)).then_some(raw),
        }
    }
}

impl GoTable {
    /// Reads the names that are printed otherwise than the table has them.
    #[must_use]
    pub fn names(&self, memory: &Memory<'_>) -> GoNames {
        let Some(view) = self.view(memory) else {
            return GoNames::default();
        };
        // Before, linkers wrote them as they are printed.
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
