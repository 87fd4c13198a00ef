//! The functions of all units, without duplicates.

use super::raw_name::RawName;
use crate::format::{FunctionRecord, IndexStrings, Le32, PointerMap};

/// Functions on their way into an index.
///
/// The same function is inlined in many units, and each has a copy of its
/// DIE. As linkers merge strings, equal names are the same bytes.
#[derive(Debug)]
pub(super) struct FunctionMerger<'d> {
    records: Vec<FunctionRecord>,
    strings: IndexStrings<'d>,
    known: PointerMap<FunctionRecord, u32>,
}

impl<'d> FunctionMerger<'d> {
    /// Reserves room for this many, so that adding them never reallocates.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            records: Vec::with_capacity(count),
            strings: IndexStrings::with_capacity(count),
            known: PointerMap::with_capacity_and_hasher(count, Default::default()),
        }
    }

    /// Returns the function's row.
    pub(super) fn add(&mut self, name: &RawName<'d>) -> u32 {
        let linkage = self.strings.add(name.linkage.unwrap_or_default());
        // A function that the linker knows by name is shown by that name.
        let is_kept = name.linkage.is_none() || name.is_ada();
        let plain = name.plain.filter(|_| is_kept);
        let plain = self.strings.add(plain.unwrap_or_default());
        let record = FunctionRecord {
            linkage: Le32::new(linkage),
            plain: Le32::new(plain),
            line: Le32::new(name.line),
        };
        let next = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        let row = *self.known.entry(record).or_insert(next);
        if row == next {
            self.records.push(record);
        }
        row
    }

    /// Returns the bytes of their names.
    pub(super) fn string_bytes(&self) -> usize {
        self.strings.bytes()
    }

    /// Returns the functions, and the texts that they name with `behind` behind them.
    pub(super) fn into_tables(self, behind: &[u8]) -> (Vec<FunctionRecord>, Vec<u8>) {
        (self.records, self.strings.into_bytes(behind))
    }
}
