//! What the parts of an index are merged with.

use backsight_types::BuildId;

use crate::code_map::CodeMap;
use crate::elf::Symbols;
use crate::limits::Limits;

/// What the parts of an index are merged with.
#[derive(Debug)]
pub(crate) struct Merging<'s> {
    pub(crate) build_id: Option<BuildId>,
    /// Where code is.
    pub(crate) code: CodeMap,
    /// Whether debug information that is not here says more.
    pub(crate) is_incomplete: bool,
    pub(crate) limits: &'s Limits,
}

/// What the symbol tables of a module's files say.
#[derive(Debug)]
pub(crate) struct TableSymbols<'s> {
    pub(crate) symbols: &'s Symbols,
    /// Whether a limit kept a table from being read.
    pub(crate) limited: bool,
}
