//! The inputs of merging, besides the parts.

use backsight_types::BuildId;

use super::code_offsets::CodeOffsets;
use super::symbol_list::SymbolList;

/// The inputs of merging, besides the parts.
#[derive(Debug)]
pub struct MergeInput {
    /// The build ID of the module.
    pub build_id: Option<BuildId>,
    /// The ranges of code.
    pub code: CodeOffsets,
    /// Whether some debug information is missing.
    pub is_incomplete: bool,
    /// The maximum number of nested inlined calls.
    pub inline_depth: u16,
    /// The maximum length of a path in bytes; longer ones are dropped.
    pub name_bytes: usize,
}

/// The symbols of a module's files.
#[derive(Debug)]
pub struct TableSymbols<'s> {
    /// The symbols.
    pub symbols: &'s dyn SymbolList,
    /// Whether a table was not read because of a limit.
    pub limited: bool,
}
