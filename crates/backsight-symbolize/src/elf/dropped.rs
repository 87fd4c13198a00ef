//! What is left of functions that the linker dropped.
//!
//! `--gc-sections` drops a function's code, not its debug information: there it begins
//! at address 0, or at 1 in lists that 0 would end. Where no code is, that is seen at
//! once. But the code of firmware begins at 0, and then a dozen functions that are gone
//! claim the first instructions of the one that is there.
//!
//! The symbol table tells them apart: linkers drop the symbols of what they drop. The function at
//! address 0 ends where the symbol there ends, and a range of code ends where some symbol
//! does. A file that has no function symbols does not say, and all claims count.

use super::headers::ElfHeaders;
use super::opd::Descriptors;
use super::symbol_table::{SymbolKind, TableKind, for_each};

/// Where code ends, as the symbols of a file have it.
#[derive(Debug)]
pub(super) struct CodeEnds {
    /// Of what begins at address 0.
    first: Vec<u64>,
    /// Of functions and of sections, ascending. Those before a label are in it too.
    all: Vec<u64>,
}

impl CodeEnds {
    /// Returns `None` when the file has no function symbols.
    pub(super) fn read(file: &ElfHeaders, descriptors: Option<&Descriptors>) -> Option<Self> {
        let mut symbols = Vec::new();
        for table in [TableKind::Full, TableKind::Dynamic] {
            for_each(file, descriptors, table, |row| {
                if row.is_in_code() && row.kind != SymbolKind::Object {
                    symbols.push((row.start, row.size));
                }
            });
        }
        symbols.sort_unstable();
        let starts = symbols.iter().map(|(start, _)| *start);
        let next = starts.clone().find(|start| *start > 0);
        let ends = symbols.iter().filter(|(_, size)| *size > 0);
        let ends = ends.map(|(start, size)| start.saturating_add(*size));
        let sections = file.code_ranges().map(|(_, end)| end);
        let mut all: Vec<u64> = starts.chain(ends).chain(sections).collect();
        all.sort_unstable();
        let at_zero = symbols.iter().take_while(|(start, _)| *start == 0);
        let first = at_zero.filter_map(|(_, size)| match size {
            0 => next,
            size => Some(*size),
        });
        let ends = Self {
            first: first.collect(),
            all,
        };
        (!symbols.is_empty()).then_some(ends)
    }

    pub(super) fn has_function(&self, end: u64) -> bool {
        self.first.contains(&end)
    }

    pub(super) fn has(&self, end: u64) -> bool {
        self.all.binary_search(&end).is_ok()
    }

    /// Returns the bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.all.as_slice())
    }
}
