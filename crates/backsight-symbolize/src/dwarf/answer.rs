//! What DWARF knows of one address.

use backsight_index::engine::Name;

use super::fault::Fault;
use crate::dwarf::lines::line_table::SourceLocation;

/// One call level as DWARF has it.
#[derive(Clone, Debug)]
pub(crate) struct DwarfLevel {
    pub(crate) name: Name,
    pub(crate) location: SourceLocation,
    pub(crate) inlined: bool,
    /// Where the physical function starts; `None` when inlined.
    pub(crate) start: Option<u64>,
}

/// What DWARF knows of one address.
#[derive(Clone, Debug, Default)]
pub(crate) struct DwarfAnswer {
    /// Innermost first; empty when no function is known there.
    pub(crate) levels: Vec<DwarfLevel>,
    /// Where the line table alone knows the address: hand-written assembly.
    pub(crate) location: Option<SourceLocation>,
    /// Whether linkers may know the physical function by a mangled name, though its DIE
    /// does not say so.
    pub(crate) mangles: bool,
    /// Whether something was left out because of a limit.
    pub(crate) limited: bool,
    /// Whether something could not be read.
    pub(crate) damaged: bool,
}

impl DwarfAnswer {
    /// Records why a part of it is missing.
    pub(in crate::dwarf) fn note(&mut self, fault: Fault) {
        self.limited |= fault == Fault::Limit;
        self.damaged |= fault == Fault::Malformed;
    }
}
