//! Merges the functions of all units, without duplicates.

use super::raw_name::RawName;
use crate::format::{FunctionRecord, IndexStrings, Le32, PointerMap};

/// The table of functions while an index is built.
///
/// A function that is inlined in many units has a DIE in each. Linkers merge strings, so
/// equal names have the same address.
#[derive(Debug)]
pub(super) struct FunctionMerger<'d> {
    records: Vec<FunctionRecord>,
    strings: IndexStrings<'d>,
    known: PointerMap<FunctionRecord, u32>,
}

impl<'d> FunctionMerger<'d> {
    /// Reserves room for this many functions, so that adding them does not reallocate.
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
        // A function with a linkage name is displayed by that name.
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

    /// Returns the size of their names in bytes.
    pub(super) fn string_bytes(&self) -> usize {
        self.strings.bytes()
    }

    /// Returns the functions and their texts, followed by `other_texts`.
    pub(super) fn into_tables(self, other_texts: &[u8]) -> (Vec<FunctionRecord>, Vec<u8>) {
        (self.records, self.strings.into_bytes(other_texts))
    }
}
