//! Reads the tables that refer only to strings: sample types, functions, comments.

use std::collections::HashSet;

use backsight_profile::Profile;
use hashbrown::HashMap;

use super::super::comments::{FILE_OFFSETS, VIRTUAL_OFFSETS};
use super::super::{labels, proto};
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, MessageFields, Value, decode, varint};
use crate::texts::ReadStrings;

/// The maximum number of sample types. Each sample has a value of each type.
const MOST_TYPES: usize = 1024;

/// The contents of a file except its samples.
#[derive(Debug, Default)]
pub(super) struct FileTables<'a> {
    pub(super) texts: ReadStrings<'a>,
    pub(super) mappings: Vec<proto::Mapping>,
    pub(super) functions: HashMap<u64, proto::Function>,
    /// Encoded, because decoded lines take more memory.
    pub(super) locations: Vec<&'a [u8]>,
    sample_types: Vec<proto::ValueType>,
    period_type: Option<proto::ValueType>,
    comments: Vec<u64>,
    /// The scalar fields from 7 to 15; the last value of each counts.
    numbers: HashMap<u32, u64>,
}

/// The address space of each mapping, according to the comments by backsight.
#[derive(Debug, Default)]
pub(super) struct Spaces<'a> {
    pub(super) is_virtual: bool,
    /// The file names that are exempted.
    pub(super) but: HashSet<&'a str>,
}

impl<'a> FileTables<'a> {
    pub(super) fn read(
        message: &'a [u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<Self, Error> {
        let mut tables = Self::default();
        let mut fields = MessageFields::new(message);
        while let Some((number, value)) = fields.next()? {
            tables.field(number, value, budget, flaws)?;
        }
        tables.texts.check()?;
        Ok(tables)
    }

    fn field(
        &mut self,
        number: u32,
        value: Value<'a>,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        match (number, value) {
            (1, Value::Bytes(_)) if self.sample_types.len() >= MOST_TYPES => {
                flaws.count("sample types after the 1024th");
            }
            (1, Value::Bytes(row)) => {
                budget.take_rows::<proto::ValueType>(2)?;
                // A malformed type keeps its position, because values refer to types by position.
                let kind =
                    decode(row, "sample types that cannot be decoded", flaws).unwrap_or_default();
                self.sample_types.push(kind);
            }
            // Samples are read when the tables are complete.
            (2, Value::Bytes(_)) => {}
            (3, Value::Bytes(row)) => {
                budget.take_rows::<proto::Mapping>(2)?;
                self.mappings.extend(decode::<proto::Mapping>(
                    row,
                    "mappings that cannot be decoded",
                    flaws,
                ));
            }
            (4, Value::Bytes(row)) => {
                budget.take_rows::<&[u8]>(2)?;
                self.locations.push(row);
            }
            (5, Value::Bytes(row)) => {
                budget.take_rows::<proto::Function>(2)?;
                if let Some(function) =
                    decode::<proto::Function>(row, "functions that cannot be decoded", flaws)
                {
                    self.function(function, flaws);
                }
            }
            (6, Value::Bytes(row)) => {
                self.texts.push(row, budget)?;
            }
            (11, Value::Bytes(row)) => {
                self.period_type = decode(row, "period types that cannot be decoded", flaws)
            }
            (13, Value::Varint(comment)) => {
                budget.take_rows::<u64>(2)?;
                self.comments.push(comment);
            }
            (13, Value::Bytes(mut packed)) => {
                budget.take_rows::<u64>(packed.len().saturating_mul(2))?;
                while !packed.is_empty() {
                    let Some(comment) = varint(&mut packed) else {
                        flaws.count("comments that cannot be decoded");
                        break;
                    };
                    self.comments.push(comment);
                }
            }
            (7..=10 | 12 | 14 | 15, Value::Varint(value)) => {
                self.numbers.insert(number, value);
            }
            _ => flaws.leave_out("unknown fields"),
        }
        Ok(())
    }

    fn function(&mut self, function: proto::Function, flaws: &mut Flaws) {
        if function.id == 0 {
            flaws.count("functions without an ID");
        } else if self.functions.contains_key(&function.id) {
            flaws.count("functions with the ID of another one");
        } else {
            self.functions.insert(function.id, function);
        }
    }

    /// Reads the scalar fields and comments, and returns the address spaces that the comments give.
    pub(super) fn head(&mut self, profile: &mut Profile, flaws: &mut Flaws) -> Spaces<'a> {
        let strings = &mut profile.strings;
        for kind in &self.sample_types {
            let kind = self
                .texts
                .value_type((kind.kind, kind.unit), strings, flaws);
            profile.sample_types.push(kind);
        }
        profile.default_type = self.default_type(flaws);
        profile.start_ns = self.nanos(9, flaws);
        profile.duration_ns = self.nanos(10, flaws);
        let period = self.numbers.get(&12).map(|period| signed(*period));
        if period.is_some() || self.period_type.is_some() {
            let kind = self.period_type.unwrap_or_default();
            let kind = self
                .texts
                .value_type((kind.kind, kind.unit), strings, flaws);
            profile.period = Some((kind, period.unwrap_or(0)));
        }
        self.comments(profile, flaws)
    }

    /// Returns the index of the default sample type: the last type if the file names none.
    fn default_type(&self, flaws: &mut Flaws) -> Option<u32> {
        let named = self.numbers.get(&14).map_or(0, |place| signed(*place));
        let last = self.sample_types.len().checked_sub(1)?;
        let at = match self.texts.bytes(named, flaws) {
            None => last,
            Some(name) => {
                let is_it = |kind: &proto::ValueType| {
                    self.texts.bytes(kind.kind, &mut Flaws::default()) == Some(name)
                };
                self.sample_types.iter().position(is_it).unwrap_or_else(|| {
                    flaws.count("default sample types that are not among the sample types");
                    last
                })
            }
        };
        u32::try_from(at).ok()
    }

    fn comments(&mut self, profile: &mut Profile, flaws: &mut Flaws) -> Spaces<'a> {
        let mut spaces = Spaces::default();
        for (field, begin) in labels::KEPT {
            let place = self.numbers.get(&field).map_or(0, |place| signed(*place));
            if let Some(bytes) = self.texts.bytes(place, flaws) {
                let text = format!("{begin}{}", String::from_utf8_lossy(bytes));
                profile.comments.push(profile.strings.intern(&text));
            }
        }
        for comment in std::mem::take(&mut self.comments) {
            let comment = signed(comment);
            let text = self.texts.bytes(comment, flaws);
            let text = text.and_then(|bytes| str::from_utf8(bytes).ok());
            if text == Some(VIRTUAL_OFFSETS) {
                spaces.is_virtual = true;
            } else if let Some(name) = text.and_then(|text| text.strip_prefix(FILE_OFFSETS)) {
                spaces.but.insert(name);
            } else {
                let text = self.texts.text(comment, &mut profile.strings, flaws);
                profile.comments.extend(text);
            }
        }
        spaces
    }

    /// Returns a time or duration; `None` if it is not given.
    fn nanos(&self, field: u32, flaws: &mut Flaws) -> Option<u64> {
        let nanos = signed(*self.numbers.get(&field)?);
        if nanos < 0 {
            flaws.count("times before 1970");
        }
        u64::try_from(nanos).ok().filter(|nanos| *nanos > 0)
    }
}

/// Converts the bits of an `int64` field.
fn signed(value: u64) -> i64 {
    i64::from_ne_bytes(value.to_ne_bytes())
}
