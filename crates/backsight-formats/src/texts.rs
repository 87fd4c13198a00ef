//! The string table of a file that is read.

use std::borrow::Cow;

use backsight_profile::{StrIdx, Strings, ValueType};

use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget};

/// The strings as stored in the file; the empty string is first.
#[derive(Debug, Default)]
pub(crate) struct ReadStrings<'a> {
    rows: Vec<&'a [u8]>,
    /// The index in the profile of each string that was used.
    known: Vec<Option<StrIdx>>,
}

impl<'a> ReadStrings<'a> {
    /// Adds the next string.
    pub(crate) fn push(&mut self, row: &'a [u8], budget: &mut MemoryBudget) -> Result<(), Error> {
        budget.take_rows::<(&[u8], Option<StrIdx>)>(2)?;
        self.rows.push(row);
        self.known.push(None);
        Ok(())
    }

    /// Checks that the first string is empty. Any bytes may happen to parse as protobuf fields, but
    /// no other kind of file has such a table.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_one = self.rows.first().is_some_and(|first| first.is_empty());
        is_one.then_some(()).ok_or(Error::Malformed {
            offset: 0,
            reason: "it has no string table that begins with the empty string",
        })
    }

    /// Returns a string; `None` for the empty string, and for an index past the end, which is
    /// counted.
    pub(crate) fn bytes(&self, place: i64, flaws: &mut Flaws) -> Option<&'a [u8]> {
        let row = usize::try_from(place).ok().and_then(|at| self.rows.get(at));
        if row.is_none() {
            flaws.count("references beyond the end of the string table");
        }
        row.copied().filter(|row| !row.is_empty())
    }

    /// Like [`Self::bytes`], and adds the string to the profile.
    pub(crate) fn text(
        &mut self,
        place: i64,
        strings: &mut Strings,
        flaws: &mut Flaws,
    ) -> Option<StrIdx> {
        let bytes = self.bytes(place, flaws)?;
        let known = usize::try_from(place)
            .ok()
            .and_then(|at| self.known.get_mut(at))?;
        if known.is_none() {
            let text = String::from_utf8_lossy(bytes);
            if matches!(text, Cow::Owned(_)) {
                flaws.count("names that are not UTF-8");
            }
            *known = Some(strings.intern(&text));
        }
        *known
    }

    /// Returns a value type. The empty string means that its kind or unit is not given.
    pub(crate) fn value_type(
        &mut self,
        (kind, unit): (i64, i64),
        strings: &mut Strings,
        flaws: &mut Flaws,
    ) -> ValueType {
        let mut text = |place| match self.text(place, strings, flaws) {
            Some(text) => text,
            None => strings.intern(""),
        };
        ValueType {
            kind: text(kind),
            unit: text(unit),
        }
    }
}

/// Converts a line or column; `None` for 0, which means unknown.
pub(crate) fn number(number: i64, flaws: &mut Flaws) -> Option<u32> {
    let known = u32::try_from(number);
    if known.is_err() {
        flaws.count("lines and columns that do not fit 32 bits");
    }
    known.ok().filter(|number| *number > 0)
}
