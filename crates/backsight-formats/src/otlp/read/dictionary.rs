//! The dictionary of a file that is read: its rows, and what they were converted to.

use backsight_profile::{LocationIdx, StackIdx};

use super::attribute::ReadAttribute;
use super::layout::TableSizes;
use crate::flaws::Flaws;
use crate::mapped_file::MappedFile;
use crate::protobuf::{Error, MemoryBudget, MessageFields, Value};
use crate::texts::ReadStrings;

/// The tables as stored in the file.
#[derive(Debug, Default)]
pub(super) struct FileDictionary<'a> {
    pub(super) texts: ReadStrings<'a>,
    pub(super) functions: Vec<&'a [u8]>,
    pub(super) mappings: DictionaryTable<'a, MappedFile>,
    pub(super) locations: DictionaryTable<'a, LocationIdx>,
    pub(super) attributes: DictionaryTable<'a, ReadAttribute>,
    pub(super) stacks: DictionaryTable<'a, StackIdx>,
    links: usize,
}

/// Encoded rows, and what those that were used were converted to. `Some(None)` means that a row
/// could not be converted.
#[derive(Debug)]
pub(super) struct DictionaryTable<'a, T> {
    pub(super) rows: Vec<&'a [u8]>,
    known: Vec<Option<Option<T>>>,
}

impl<T> Default for DictionaryTable<'_, T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            known: Vec::new(),
        }
    }
}

impl<'a, T: Copy> DictionaryTable<'a, T> {
    fn push(&mut self, row: &'a [u8], budget: &mut MemoryBudget) -> Result<(), Error> {
        budget.take_rows::<(&[u8], Option<Option<T>>)>(2)?;
        self.rows.push(row);
        self.known.push(None);
        Ok(())
    }

    /// Returns what a row was converted to, or else the encoded row. Index 0 means "none".
    pub(super) fn look(&self, place: i32, flaws: &mut Flaws) -> RowState<'a, T> {
        if place == 0 {
            return RowState::Known(None);
        }
        let at = usize::try_from(place).unwrap_or(usize::MAX);
        match (self.known.get(at), self.rows.get(at)) {
            (Some(Some(known)), _) => RowState::Known(*known),
            (_, Some(row)) => RowState::New(at, row),
            _ => {
                flaws.count("references beyond the end of a table");
                RowState::Known(None)
            }
        }
    }

    pub(super) fn keep(&mut self, at: usize, value: Option<T>) -> Option<T> {
        if let Some(known) = self.known.get_mut(at) {
            *known = Some(value);
        }
        value
    }
}

pub(super) enum RowState<'a, T> {
    Known(Option<T>),
    New(usize, &'a [u8]),
}

impl<'a> FileDictionary<'a> {
    pub(super) fn read(message: &'a [u8], budget: &mut MemoryBudget) -> Result<Self, Error> {
        let mut dictionary = Self::default();
        let mut fields = MessageFields::new(message);
        while let Some(field) = fields.next()? {
            if let (2, Value::Bytes(part)) = field {
                let mut tables = MessageFields::new(part);
                while let Some(table) = tables.next()? {
                    dictionary.row(table, budget)?;
                }
            }
        }
        dictionary.texts.check()?;
        Ok(dictionary)
    }

    /// Returns the sizes of the tables that samples refer to.
    pub(super) fn tables(&self) -> TableSizes {
        TableSizes {
            stacks: self.stacks.rows.len(),
            attributes: self.attributes.rows.len(),
            links: self.links,
        }
    }

    fn row(&mut self, field: (u32, Value<'a>), budget: &mut MemoryBudget) -> Result<(), Error> {
        match field {
            (1, Value::Bytes(row)) => self.mappings.push(row, budget),
            (2, Value::Bytes(row)) => self.locations.push(row, budget),
            (3, Value::Bytes(row)) => {
                budget.take_rows::<&[u8]>(2)?;
                self.functions.push(row);
                Ok(())
            }
            (4, Value::Bytes(_)) => {
                self.links = self.links.saturating_add(1);
                Ok(())
            }
            (5, Value::Bytes(row)) => self.texts.push(row, budget),
            (6, Value::Bytes(row)) => self.attributes.push(row, budget),
            (7, Value::Bytes(row)) => self.stacks.push(row, budget),
            // Fields of later versions.
            _ => Ok(()),
        }
    }
}
