//! A symbol in 16 bytes. A kernel has more than 150,000 symbols.

use std::cmp::Reverse;

use super::line::Line;
use crate::linker_marks::is_section_mark;

/// A symbol, whose name is in a text shared by all symbols.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedSymbol {
    pub(super) addr: u64,
    /// The offset of its name.
    name: u32,
    /// The length of its name, and in the upper bits the properties that
    /// [`rank`](Self::rank) compares.
    shape: u16,
    /// 0 for the image; otherwise the index of its module plus one.
    pub(super) module: u16,
}

/// The bits of a name's length: [`Line::parse`] returns no name of more than 1024 bytes.
const LENGTH: u16 = 0x0fff;
const MARK: u16 = 0x8000;
const DATA: u16 = 0x4000;
const WEAK: u16 = 0x2000;
const LOCAL: u16 = 0x1000;

impl PackedSymbol {
    /// Packs a symbol, and appends its name to `names`. The names of data and of marks of an
    /// end are not kept, because these only end the function before them. Returns `None` if there is no room.
    pub(super) fn new(line: &Line<'_>, module: u16, names: &mut String) -> Option<Self> {
        let name = if line.is_code() { line.name } else { "" };
        let len = u16::try_from(name.len())
            .ok()
            .filter(|len| *len <= LENGTH)?;
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        let packed = Self {
            addr: line.addr,
            name: u32::try_from(names.len()).ok()?,
            shape: len
                | bit(is_section_mark(line.name.as_bytes()), MARK)
                | bit(!line.is_code(), DATA)
                | bit(line.is_weak(), WEAK)
                | bit(line.kind.is_ascii_lowercase(), LOCAL),
            module,
        };
        names.push_str(name);
        Some(packed)
    }

    pub(super) const fn is_code(&self) -> bool {
        self.shape & DATA == 0
    }

    /// Returns its name from the shared text.
    pub(super) fn name<'n>(&self, names: &'n str) -> &'n str {
        let start = usize::try_from(self.name).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::from(self.shape & LENGTH));
        names.get(start..end).unwrap_or_default()
    }

    /// Orders the names of one address, the best first: no mark of a section, code, not weak,
    /// global, with the fewest leading underscores, longest.
    pub(super) fn rank(&self, names: &str) -> (u16, usize, Reverse<usize>) {
        let name = self.name(names);
        let underscores = name.bytes().take_while(|byte| *byte == b'_').count();
        (self.shape & !LENGTH, underscores, Reverse(name.len()))
    }
}
