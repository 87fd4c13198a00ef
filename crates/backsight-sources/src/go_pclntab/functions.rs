//! The list of functions, and the record of each.

use super::header::Layout;
use super::table::TableView;
use crate::bytes::offset;

/// The record of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) entry: u64,
    /// The distance to the next function in bytes.
    pub(super) room: u64,
    pub(super) name: u32,
    /// The line of its declaration; 0 before Go 1.20.
    pub(super) start_line: u32,
    /// The first file number of its compilation unit.
    pub(super) unit: u32,
    pub(super) file_runs: u32,
    pub(super) line_runs: u32,
    /// 0 if nothing was inlined.
    pub(super) call_runs: u32,
    /// The address of its inline tree.
    pub(super) tree: Option<u64>,
}

/// The offset of function data that does not exist.
const NO_DATA: u32 = u32::MAX;

impl TableView<'_, '_> {
    /// Returns the address-sized number at this offset of the table, after relocation.
    fn loaded(&self, at: usize) -> Option<u64> {
        let relocated = &self.table.relocated;
        if !relocated.is_empty() {
            let addr = self.table.addr.checked_add(u64::try_from(at).ok()?)?;
            if let Ok(found) = relocated.binary_search_by_key(&addr, |known| known.0) {
                return Some(relocated.get(found)?.1);
            }
        }
        self.bytes.address(at)
    }

    fn entry_at(&self, number: usize) -> Option<usize> {
        let header = &self.table.header;
        let into = number.checked_mul(header.entry_size())?;
        header.functab.checked_add(into)
    }

    /// Returns the address of a function; for the number after the last one, the end of
    /// the code.
    pub(super) fn entry(&self, number: usize) -> Option<u64> {
        let at = self.entry_at(number)?;
        match self.table.header.has_offsets() {
            true => self.table.text.checked_add(self.bytes.word(at)?.into()),
            false => self.loaded(at),
        }
    }

    /// Returns the offset of the record of the last function, which is near the end of
    /// the table.
    pub(super) fn record_end(&self) -> usize {
        let last = self.table.functions.checked_sub(1);
        last.and_then(|last| self.record_at(last)).unwrap_or(0)
    }

    /// Returns whether the parts are where the header says: names and paths end with a NUL before
    /// the parts behind them, and the record of the first function is where the list of functions
    /// ends, with the number of functions in the header. Before Go 1.16, there are no such parts.
    ///
    /// Source: `calculateFunctabSize` in Go's `cmd/link/internal/ld/pcln.go`.
    pub(super) fn are_parts_in_place(&self) -> bool {
        let header = &self.table.header;
        if header.layout == Layout::Go1_2 {
            return true;
        }
        let ends = |part: usize| part.checked_sub(1).and_then(|at| self.bytes.byte(at)) == Some(0);
        let list_end = || {
            // The last item has an address alone.
            let items = header.functions.checked_mul(2)?.checked_add(1)?;
            let size = items.checked_mul(header.entry_bytes())?;
            let end = header.functab.checked_add(size)?;
            Some(end..end.checked_add(header.pointer)?)
        };
        let first = || Some(list_end()?.contains(&self.record_at(0)?));
        ends(header.units) && ends(header.runs) && first() == Some(true)
    }

    fn record_at(&self, number: usize) -> Option<usize> {
        let header = &self.table.header;
        let link = self.entry_at(number)?.checked_add(header.entry_bytes())?;
        let record = match header.has_offsets() {
            true => usize::try_from(self.bytes.word(link)?).ok()?,
            false => self.bytes.size(link)?,
        };
        header.records.checked_add(record)
    }

    /// Returns the number of the function that contains this address.
    pub(super) fn find(&self, addr: u64) -> Option<usize> {
        let (mut first, mut last) = (0, self.table.functions);
        // Finds the last one that starts at or before the address.
        while first < last {
            let middle = first.midpoint(last);
            if self.entry(middle)? <= addr {
                first = middle.checked_add(1)?;
            } else {
                last = middle;
            }
        }
        first.checked_sub(1)
    }

    /// Reads the record of a function.
    pub(super) fn function(&self, number: usize) -> Option<Function> {
        let header = &self.table.header;
        let entry = self.entry(number)?;
        let room = self.entry(number.checked_add(1)?)?.checked_sub(entry)?;
        let record = self.record_at(number)?;
        let fields = record.checked_add(header.entry_bytes())?;
        let field = |number: usize| {
            let into = number.checked_mul(4)?;
            self.bytes.word(fields.checked_add(into)?)
        };
        let has_unit = header.layout >= Layout::Go1_16;
        let has_start = header.layout >= Layout::Go1_20;
        let counts = 7_usize
            .checked_add(has_unit.into())?
            .checked_add(has_start.into())?;
        let mut function = Function {
            entry,
            room,
            name: field(0)?,
            start_line: if has_start { field(8)? } else { 0 },
            unit: if has_unit { field(7)? } else { 0 },
            file_runs: field(4)?,
            line_runs: field(5)?,
            call_runs: 0,
            tree: None,
        };
        // Four bytes: the ID of a special function, flags, padding, and the number of
        // function data.
        let after_fields = fields.checked_add(counts.checked_mul(4)?)?;
        let data_count = self.bytes.byte(after_fields.checked_add(3)?)?;
        let run_count = field(6)?;
        let runs = after_fields.checked_add(4)?;
        if let Some(trees) = self.table.trees
            && trees.runs < run_count
            && trees.data < data_count
        {
            let row = usize::try_from(trees.runs).ok()?.checked_mul(4)?;
            function.call_runs = self.bytes.word(runs.checked_add(row)?)?;
            let data = offset(runs, run_count.checked_mul(4)?)?;
            function.tree = self.data(data, trees.data, trees.base);
        }
        Some(function)
    }

    /// Returns the address of an item of a function's data, which start at the offset
    /// `at`.
    fn data(&self, at: usize, number: u8, base: u64) -> Option<u64> {
        let number = usize::from(number);
        if self.table.header.has_offsets() {
            let at = at.checked_add(number.checked_mul(4)?)?;
            let offset = self.bytes.word(at).filter(|offset| *offset != NO_DATA)?;
            return base.checked_add(offset.into());
        }
        let pointer = self.bytes.pointer;
        // The data are aligned by their load address.
        let mask = pointer.checked_sub(1)?;
        let addr = self.table.addr.checked_add(u64::try_from(at).ok()?)?;
        let over = usize::try_from(addr).ok()? & mask;
        let at = at.checked_add(pointer.checked_sub(over)? & mask)?;
        let at = at.checked_add(number.checked_mul(pointer)?)?;
        self.loaded(at).filter(|addr| *addr != 0)
    }
}
