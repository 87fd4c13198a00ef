//! The functions of a Breakpad symbol file, by address.

use std::ops::Range;

use backsight_index::{Frames, IndexBuilder, IndexFull};

use super::cfi::{self, CfiRows};
use super::error::BreakpadError;
use super::function;
use super::lines::Lines;
use super::module_line::BreakpadModule;
use super::record::{self, NO_TEXT, Record};
use super::scan::{BreakpadCounts, CfiEntry, Entry, Scan};
use crate::function_record::{FunctionRecord, TextName, Texts};

/// The text that `dump_syms` writes for a function without a name in debug information.
const NO_NAME: &[u8] = b"<name omitted>";

/// The tables of a Breakpad symbol file. Pass the bytes of the file to each call.
#[derive(Clone, Debug)]
pub struct Breakpad {
    module: BreakpadModule,
    scan: Scan,
}

impl Breakpad {
    /// Reads all lines once, and stores the offsets of functions, symbols, paths and
    /// names. Takes at most 24 bytes for each of these.
    ///
    /// # Errors
    /// Each of [`BreakpadError`].
    pub fn open(bytes: &[u8]) -> Result<Self, BreakpadError> {
        Self::open_in_pieces(bytes, || ())
    }

    /// The same for bytes of a mapped file: calls `release` after every 64 MiB, and at the end,
    /// when the pages so far are not needed soon.
    ///
    /// # Errors
    /// Each of [`BreakpadError`].
    pub fn open_in_pieces(bytes: &[u8], mut release: impl FnMut()) -> Result<Self, BreakpadError> {
        let mut module = BreakpadModule::read(bytes)?;
        let scan = Scan::of(bytes, &mut release)?;
        // Those behind other lines, too.
        for id in &scan.build_ids {
            module.take_build_id(*id)?;
        }
        release();
        Ok(Self { module, scan })
    }

    /// Returns its module and build.
    #[must_use]
    pub fn module(&self) -> &BreakpadModule {
        &self.module
    }

    /// Returns the number of records of each kind, and of malformed lines.
    #[must_use]
    pub fn counts(&self) -> BreakpadCounts {
        self.scan.counts
    }

    /// Returns the answer for this address, and whether a part of the function is
    /// damaged. `base` is the address of the first segment, which the file's addresses
    /// are relative to.
    #[must_use]
    pub fn find(&self, bytes: &[u8], base: u64, addr: u64) -> (Option<Frames>, bool) {
        let Some(inside) = addr.checked_sub(base) else {
            return (None, false);
        };
        let entries = &self.scan.entries;
        let after = entries.partition_point(|entry| entry.start <= inside);
        let at = after.checked_sub(1);
        let at = at.filter(|at| self.range(*at).is_some_and(|range| range.contains(&inside)));
        let Some(at) = at else {
            return (None, false);
        };
        let Some((record, own)) = self.function(bytes, base, at) else {
            return (None, true);
        };
        let texts = FunctionTexts {
            table: self,
            bytes,
            own,
        };
        (record.frames(addr, &texts), record.is_damaged)
    }

    /// Adds all functions and symbols to an index, and returns whether a part was
    /// damaged. `base` is the address of the first segment. A function that would exceed
    /// the address space counts as damaged.
    ///
    /// # Errors
    /// [`IndexFull`].
    pub fn list(
        &self,
        bytes: &[u8],
        base: u64,
        index: &mut IndexBuilder,
    ) -> Result<bool, IndexFull> {
        let mut is_damaged = false;
        for at in 0..self.scan.entries.len() {
            let Some((record, own)) = self.function(bytes, base, at) else {
                is_damaged = true;
                continue;
            };
            is_damaged |= record.is_damaged;
            let texts = FunctionTexts {
                table: self,
                bytes,
                own,
            };
            if !record.range.is_empty() {
                record.put_into(index, &texts)?;
            }
        }
        Ok(is_damaged)
    }

    /// Returns the unwinding rules of the range of code that contains this address, if
    /// there are any; `base` is the address of the first segment.
    #[must_use]
    pub fn cfi(&self, bytes: &[u8], base: u64, addr: u64) -> Option<CfiRows> {
        let entry = self.cfi_entry(addr.checked_sub(base)?)?;
        Some(cfi::read(bytes, entry, base))
    }

    /// Returns the unwinding rules of all code, range by range in ascending order.
    pub fn all_cfi(&self, bytes: &[u8], base: u64) -> impl Iterator<Item = CfiRows> {
        let entries = self.scan.cfi.iter();
        entries.map(move |entry| cfi::read(bytes, entry, base))
    }

    /// Returns the code of an entry, which ends at the start of the next one at the
    /// latest. The last symbol ends with its unwinding rules.
    fn range(&self, number: usize) -> Option<Range<u64>> {
        let entries = &self.scan.entries;
        let Entry {
            start,
            size,
            is_end,
            ..
        } = *entries.get(number)?;
        if is_end {
            return Some(start..start);
        }
        let next = entries.get(number.checked_add(1)?).map(|next| next.start);
        let end = match (size, next) {
            (0, Some(next)) => next,
            (0, None) => self.end_of_rules(start).unwrap_or(start.checked_add(1)?),
            (size, next) => {
                let end = start.checked_add(size.into())?;
                end.min(next.unwrap_or(end))
            }
        };
        Some(start..end)
    }

    fn end_of_rules(&self, addr: u64) -> Option<u64> {
        let entry = self.cfi_entry(addr)?;
        entry.start.checked_add(entry.size.into())
    }

    fn cfi_entry(&self, addr: u64) -> Option<&CfiEntry> {
        let cfi = &self.scan.cfi;
        let after = cfi.partition_point(|entry| entry.start <= addr);
        let entry = cfi.get(after.checked_sub(1)?)?;
        let into = addr.checked_sub(entry.start)?;
        (into < u64::from(entry.size)).then_some(entry)
    }

    /// Reads an entry and its name. `base` is added to each address.
    fn function<'d>(
        &self,
        bytes: &'d [u8],
        base: u64,
        number: usize,
    ) -> Option<(FunctionRecord, &'d [u8])> {
        let range = self.range(number)?;
        let entry = self.scan.entries.get(number)?;
        let mut lines = Lines::from(bytes, usize::try_from(entry.at).ok()?);
        let (_, line) = lines.next()?;
        let (record, name) = match record::parse(line)? {
            Record::Function { name, .. } => (function::read(range, lines), name),
            Record::Public(_, name) => {
                let record = FunctionRecord {
                    range,
                    name: NO_TEXT,
                    ..FunctionRecord::default()
                };
                (record, name)
            }
            _ => return None,
        };
        Some((record.moved(base)?, name))
    }
}

/// The names and paths that a function refers to.
struct FunctionTexts<'t, 'd> {
    table: &'t Breakpad,
    bytes: &'d [u8],
    /// The name of the function itself.
    own: &'d [u8],
}

impl<'d> FunctionTexts<'_, 'd> {
    fn text_at(&self, at: u64) -> Option<&'d [u8]> {
        let mut lines = Lines::from(self.bytes, usize::try_from(at).ok()?);
        lines.next().map(|(_, text)| text)
    }
}

impl Texts for FunctionTexts<'_, '_> {
    fn name(&self, number: u32) -> Option<TextName> {
        let text = match number {
            NO_TEXT => self.own,
            number => self.text_at(self.table.scan.origins.get(number)?)?,
        };
        if text.is_empty() || text == NO_NAME {
            return None;
        }
        // Names of C++ functions are in display form; those of C and of symbols are
        // linkage names.
        let is_linkage = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$@".contains(byte);
        let is_linkage = text.iter().all(is_linkage);
        let text = String::from_utf8_lossy(text).into_owned();
        Some(match is_linkage {
            true => TextName::Linkage(text),
            false => TextName::Plain(text),
        })
    }

    fn path(&self, number: u32) -> Option<String> {
        let text = self.text_at(self.table.scan.files.get(number)?)?;
        let text = Some(text).filter(|text| !text.is_empty());
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    }
}
