//! ELF symbols, as the index of a module asks them.

use backsight_index::engine::{ListedSymbol, SymbolList};

use crate::elf::SymbolSet;
use crate::naming::symbol_of;

impl SymbolList for SymbolSet {
    fn for_each_span(&self, found: &mut dyn FnMut(u64, u64, usize)) {
        for (begin, end, symbol) in self.covered() {
            found(begin, end, symbol);
        }
    }

    fn symbol(&self, number: usize) -> Option<ListedSymbol<'_>> {
        self.at(number).map(|symbol| ListedSymbol {
            start: symbol.start,
            size: symbol.size,
            name: symbol.name,
        })
    }

    fn name_of(&self, entry: u64, plain: Option<&[u8]>) -> Option<&[u8]> {
        symbol_of(self, entry, plain).map(|symbol| symbol.name)
    }
}
