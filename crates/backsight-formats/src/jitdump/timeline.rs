//! The code at each address as time advances.

use std::collections::BTreeMap;

use backsight_types::AbsAddr;

use super::code::CodeChange;
use super::dump::Jitdump;

/// The code of a process at one time, which can only be advanced.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The number of changes that were applied.
    taken: usize,
    /// The order of changes that `taken` counts in.
    reorders: u32,
    /// Pieces that do not overlap, by start address.
    pieces: BTreeMap<u64, Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    end: u64,
    number: u32,
    /// The address of the first byte of the code; that byte may have been overwritten since.
    base: u64,
}

impl Timeline {
    /// Applies the changes up to and including a time.
    pub fn advance(&mut self, dump: &Jitdump, time_ns: u64) {
        if self.reorders != dump.codes.reorders {
            *self = Self {
                reorders: dump.codes.reorders,
                ..Self::default()
            };
        }
        let steps = dump.codes.steps.get(self.taken..).unwrap_or_default();
        let due = steps.iter().take_while(|step| step.time_ns <= time_ns);
        for step in due {
            self.taken = self.taken.saturating_add(1);
            match step.what {
                CodeChange::Loaded(number) => {
                    let code = dump.codes.get(number);
                    if let Some(code) = code {
                        self.put(code.start.0, code.size, number);
                    }
                }
                CodeChange::Moved { from, to, size } => {
                    let moved = self.pieces.get(&from).copied();
                    if let Some(piece) = moved.filter(|piece| piece.base == from) {
                        let size = size.min(piece.end.saturating_sub(from));
                        self.clear(from, from.saturating_add(size));
                        self.put(to, size, piece.number);
                    }
                }
            }
        }
    }

    /// Returns the index of the code at an address, and the offset of the address in it.
    #[must_use]
    pub fn at(&self, addr: AbsAddr) -> Option<(u32, u64)> {
        let (_, piece) = self.pieces.range(..=addr.0).next_back()?;
        let inside = addr.0 < piece.end;
        inside.then_some((piece.number, addr.0.checked_sub(piece.base)?))
    }

    fn put(&mut self, start: u64, size: u64, number: u32) {
        let end = start.saturating_add(size);
        self.clear(start, end);
        if start < end {
            let base = start;
            self.pieces.insert(start, Piece { end, number, base });
        }
    }

    /// Removes what is in a range. Pieces that extend beyond it are cut.
    fn clear(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let below = self.pieces.range_mut(..start).next_back();
        if let Some((_, piece)) = below.filter(|(_, piece)| piece.end > start) {
            let rest = *piece;
            piece.end = start;
            if rest.end > end {
                self.pieces.insert(end, rest);
            }
        }
        while let Some((at, piece)) = self.pieces.range(start..end).next() {
            let (at, rest) = (*at, *piece);
            self.pieces.remove(&at);
            if rest.end > end {
                self.pieces.insert(end, rest);
            }
        }
    }
}
