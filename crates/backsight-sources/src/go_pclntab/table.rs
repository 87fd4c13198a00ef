//! A checked table, and its properties.

use super::header::PclntabHeader;
use crate::bytes::Bytes;
use crate::memory::Memory;

/// A table of functions and lines that was checked when it was opened. It keeps no bytes:
/// pass the [`Memory`] that it was opened with to each call.
#[derive(Debug)]
pub struct GoTable {
    pub(super) header: PclntabHeader,
    /// The address at which it is mapped.
    pub(super) addr: u64,
    /// The base of the entries of functions.
    pub(super) text: u64,
    /// The number of functions from the first on that ascend.
    pub(super) functions: usize,
    /// Where inlined calls are, if they can be read.
    pub(super) trees: Option<Trees>,
    /// Relocations: addresses in the table and the values written there, ascending.
    pub(super) relocated: Vec<(u64, u64)>,
    pub(super) is_damaged: bool,
}

/// Where the inlined calls of functions are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trees {
    /// The base of the offsets of trees; 0 if functions have addresses.
    pub(super) base: u64,
    /// The number of the tree among a function's data.
    pub(super) data: u8,
    /// The number of the runs with rows of the tree.
    pub(super) runs: u32,
}

impl GoTable {
    /// Returns the number of functions.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// Returns approximately how many bytes are read to lay out the whole table.
    #[must_use]
    pub fn size(&self, memory: &Memory<'_>) -> usize {
        // The last parts are runs and records, whose sizes grow with the number of
        // functions.
        let end = self.view(memory).map_or(0, |view| view.record_end());
        end.min(memory.from(self.addr).map_or(0, <[u8]>::len))
    }

    /// Returns the entries of a few functions, evenly distributed.
    #[must_use]
    pub fn some_entries(&self, few: usize, memory: &Memory<'_>) -> Vec<u64> {
        let Some(view) = self.view(memory) else {
            return Vec::new();
        };
        let step = self.functions.div_ceil(few.max(1)).max(1);
        // The first functions are not compiled by Go's compiler.
        let numbers = (step / 2..self.functions).step_by(step);
        numbers.filter_map(|number| view.entry(number)).collect()
    }

    /// Returns the address of the inline tree of the function at this address.
    #[must_use]
    pub fn tree_at(&self, addr: u64, memory: &Memory<'_>) -> Option<u64> {
        let view = self.view(memory)?;
        view.function(view.find(addr)?)?.tree
    }

    /// Returns its memory in bytes.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        size_of_val(self.relocated.as_slice())
    }

    /// Returns whether it is inconsistent, so that some functions are not found.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    pub(super) fn view<'t, 'd>(&'t self, memory: &'t Memory<'d>) -> Option<TableView<'t, 'd>> {
        let bytes = self.header.bytes(memory.from(self.addr)?);
        Some(TableView {
            table: self,
            bytes,
            memory,
        })
    }
}

/// A table with its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableView<'t, 'd> {
    pub(super) table: &'t GoTable,
    pub(super) bytes: Bytes<'d>,
    pub(super) memory: &'t Memory<'d>,
}
