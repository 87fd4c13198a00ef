//! The list of a running kernel as a source of symbols.

use backsight_index::{Frame, Frames};
use backsight_sources::kallsyms::Kallsyms;
use backsight_types::{AbsAddr, VirtOffset};

use crate::source::{Detail, SymbolSource};

/// Bytes of a demangled name at most.
const LONGEST_NAME: usize = 64 << 10;

impl SymbolSource for Kallsyms {
    fn detail(&self) -> Detail {
        Detail::Names
    }

    /// The virtual offset is the absolute address.
    fn find(&self, place: VirtOffset) -> Option<Frames> {
        let symbol = self.at(AbsAddr(place.0))?;
        let shown = backsight_demangle::demangle(symbol.name, LONGEST_NAME);
        let mut frame = Frame::named(shown.as_deref().unwrap_or(symbol.name));
        frame.linkage_name = Some(symbol.name.into());
        frame.start = Some(VirtOffset(symbol.start.0));
        Frames::of(vec![frame])
    }
}
