//! A table that was checked, and how its functions are found.

use super::header::PclntabHeader;
use crate::bytes::Bytes;
use crate::memory::Memory;

/// A table of functions and lines that was checked when it was opened. It keeps no bytes:
/// each question is handed the [`Memory`] that it was opened in.
#[derive(Debug)]
pub struct GoTable {
    pub(super) header: PclntabHeader,
    /// Where it is mapped.
    pub(super) addr: u64,
    /// What the entries of functions count from.
    pub(super) text: u64,
    /// How many functions ascend from the first on.
    pub(super) functions: usize,
    /// Where inlined calls are, if they can be read.
    pub(super) trees: Option<Trees>,
    /// Addresses that are written into it when it is loaded: ascending.
    pub(super) relocated: Vec<(u64, u64)>,
    pub(super) is_damaged: bool,
}

/// Where the inlined calls of functions are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trees {
    /// What offsets of trees count from; 0 where functions have their addresses.
    pub(super) base: u64,
    /// Which of a function's data is its tree.
    pub(super) data: u8,
    /// Which of its runs say the row in the tree.
    pub(super) runs: u32,
}

impl GoTable {
    /// Returns how many functions it has.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// Returns about how many bytes are read to lay all of it out.
    #[must_use]
    pub fn size(&self, memory: &Memory<'_>) -> usize {
        // The last parts are runs and records: a program has as many more of each as it has
        // functions.
        let end = self.view(memory).map_or(0, |view| view.record_end());
        end.min(memory.from(self.addr).map_or(0, <[u8]>::len))
    }

    /// Returns where a few of its functions are entered, far from each other.
    #[must_use]
    pub fn some_entries(&self, few: usize, memory: &Memory<'_>) -> Vec<u64> {
        let Some(view) = self.view(memory) else {
            return Vec::new();
        };
        let step = self.functions.div_ceil(few.max(1)).max(1);
        // The first ones are not of Go's compiler.
        let numbers = (step / 2..self.functions).step_by(step);
        numbers.filter_map(|number| view.entry(number)).collect()
    }

    /// Returns where the inlined calls of the function at this address are.
    #[must_use]
    pub fn tree_at(&self, addr: u64, memory: &Memory<'_>) -> Option<u64> {
        let view = self.view(memory)?;
        view.function(view.find(addr)?)?.tree
    }

    /// Returns the bytes of memory that it takes.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        size_of_val(self.relocated.as_slice())
    }

    /// Returns whether it contradicts itself: some functions are not found.
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
