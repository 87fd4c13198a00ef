//! The symbols that name code without debug information.

use std::fmt::Debug;

/// Symbols that name code without debug information, and functions whose names debug
/// information has only in part.
///
/// Several threads call it at once.
pub trait SymbolList: Debug + Sync {
    /// Calls `found` for each range of code that a symbol names, in ascending order, with
    /// its start, its end, and the number of the symbol.
    fn for_each_span(&self, found: &mut dyn FnMut(u64, u64, usize));

    /// Returns the symbol with this number.
    fn symbol(&self, number: usize) -> Option<ListedSymbol<'_>>;

    /// Returns the linkage name of the function with this entry, if a symbol has a better
    /// name than debug information. `plain` is the name there, if any.
    fn name_of(&self, entry: u64, plain: Option<&[u8]>) -> Option<&[u8]>;
}

/// A symbol of a [`SymbolList`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedSymbol<'d> {
    /// The virtual offset of its first byte.
    pub start: u64,
    /// The size in bytes; 0 if unknown.
    pub size: u64,
    /// The name in the symbol table.
    pub name: &'d [u8],
}

/// No symbols.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSymbols;

impl SymbolList for NoSymbols {
    fn for_each_span(&self, _: &mut dyn FnMut(u64, u64, usize)) {}

    fn symbol(&self, _: usize) -> Option<ListedSymbol<'_>> {
        None
    }

    fn name_of(&self, _: u64, _: Option<&[u8]>) -> Option<&[u8]> {
        None
    }
}
