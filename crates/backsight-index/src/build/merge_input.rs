//! What merging needs beside the parts of an index.

use backsight_types::BuildId;

use super::code_offsets::CodeOffsets;
use super::symbol_list::SymbolList;

/// What merging needs beside the parts of an index.
#[derive(Debug)]
pub struct MergeInput {
    /// Of the module.
    pub build_id: Option<BuildId>,
    /// Where code is.
    pub code: CodeOffsets,
    /// Whether some debug information is missing.
    pub is_incomplete: bool,
    /// The most inlined calls above one another.
    pub inline_depth: u16,
    /// Bytes of a path: longer ones are dropped.
    pub name_bytes: usize,
}

/// What the symbol tables of a module's files say.
#[derive(Debug)]
pub struct TableSymbols<'s> {
    /// What they list.
    pub symbols: &'s dyn SymbolList,
    /// Whether a limit kept a table from being read.
    pub limited: bool,
}
