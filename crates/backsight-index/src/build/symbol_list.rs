//! Symbols that name what debug information does not.

use std::fmt::Debug;

/// Symbols that name the code which no debug information covers, and functions whose
/// names debug information has in part.
///
/// They are asked from several threads at once.
pub trait SymbolList: Debug + Sync {
    /// Calls `found` for each stretch of code that a symbol names, in ascending order:
    /// where it begins and ends, and the number of the symbol.
    fn for_each_span(&self, found: &mut dyn FnMut(u64, u64, usize));

    /// Returns the symbol of this number.
    fn symbol(&self, number: usize) -> Option<ListedSymbol<'_>>;

    /// Returns the linkage name of the function that is entered here, which debug
    /// information calls `plain`, or nothing, if a symbol has a better one.
    fn name_of(&self, entry: u64, plain: Option<&[u8]>) -> Option<&[u8]>;
}

/// A symbol of a [`SymbolList`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedSymbol<'d> {
    /// The virtual offset of its first byte.
    pub start: u64,
    /// In bytes; 0 when that is not known.
    pub size: u64,
    /// As the linker knows it.
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
