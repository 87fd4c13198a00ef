//! The list of functions, and what the record of one says.

use super::header::Layout;
use super::table::TableView;
use crate::bytes::offset;

/// What the table says of one function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) entry: u64,
    /// Where the next one begins, from the entry on.
    pub(super) room: u64,
    pub(super) name: u32,
    /// The line of its declaration; 0 before Go 1.20.
    pub(super) start_line: u32,
    /// What numbers of files count from.
    pub(super) unit: u32,
    pub(super) file_runs: u32,
    pub(super) line_runs: u32,
    /// 0 when nothing was folded in.
    pub(super) call_runs: u32,
    /// Where its inlined calls are.
    pub(super) tree: Option<u64>,
}

/// None, of data that is an offset.
const NO_DATA: u32 = u32::MAX;

impl TableView<'_, '_> {
    /// Returns the address-sized number at this offset of the table, as a process has it.
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

    /// Returns the address of a function; of the number behind the last, where code ends.
    pub(super) fn entry(&self, number: usize) -> Option<u64> {
        let at = self.entry_at(number)?;
        match self.table.header.has_offsets() {
            true => self.table.text.checked_add(self.bytes.word(at)?.into()),
            false => self.loaded(at),
        }
    }

    /// Returns where the record of the last function begins: nothing is far behind it.
    pub(super) fn record_end(&self) -> usize {
        let last = self.table.functions.checked_sub(1);
        last.and_then(|last| self.record_at(last)).unwrap_or(0)
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

    /// Returns the number of the function that this address is in.
    pub(super) fn find(&self, addr: u64) -> Option<usize> {
        let (mut first, mut last) = (0, self.table.functions);
        // The last one that begins at the address or before.
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
        // Four bytes: which special function it is, flags, nothing, and how many data.
        let behind = fields.checked_add(counts.checked_mul(4)?)?;
        let data_count = self.bytes.byte(behind.checked_add(3)?)?;
        let run_count = field(6)?;
        let runs = behind.checked_add(4)?;
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

    /// Returns the address of one of the data of a function, which begin here.
    fn data(&self, at: usize, number: u8, base: u64) -> Option<u64> {
        let number = usize::from(number);
        if self.table.header.has_offsets() {
            let at = at.checked_add(number.checked_mul(4)?)?;
            let offset = self.bytes.word(at).filter(|offset| *offset != NO_DATA)?;
            return base.checked_add(offset.into());
        }
        let pointer = self.bytes.pointer;
        // Aligned where it is loaded.
        let mask = pointer.checked_sub(1)?;
        let addr = self.table.addr.checked_add(u64::try_from(at).ok()?)?;
        let over = usize::try_from(addr).ok()? & mask;
        let at = at.checked_add(pointer.checked_sub(over)? & mask)?;
        let at = at.checked_add(number.checked_mul(pointer)?)?;
        self.loaded(at).filter(|addr| *addr != 0)
    }
}
