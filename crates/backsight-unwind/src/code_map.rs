//! The executable memory of a process at one time.

use backsight_types::{AbsAddr, AbsRange};

use crate::file_idx::FileIdx;

/// A range of executable memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedCode {
    /// Its absolute addresses.
    pub range: AbsRange,
    /// Its file, and the load bias: see [`CallFrames::bias`](crate::CallFrames::bias). `None`
    /// for code without a file, and if the file was not found.
    pub file: Option<(FileIdx, u64)>,
}

/// The executable memory of a process, searchable by address.
#[derive(Clone, Debug, Default)]
pub struct CodeMap {
    /// Sorted by address. The ranges of a process do not overlap.
    pieces: Vec<MappedCode>,
}

impl CodeMap {
    /// Creates a map from ranges in any order.
    #[must_use]
    pub fn new(mut pieces: Vec<MappedCode>) -> Self {
        pieces.sort_by_key(|piece| piece.range.start);
        Self { pieces }
    }

    /// Returns the range that contains an address.
    #[must_use]
    pub fn at(&self, addr: u64) -> Option<&MappedCode> {
        let addr = AbsAddr(addr);
        let after = self.pieces.partition_point(|it| it.range.start <= addr);
        let piece = self.pieces.get(after.checked_sub(1)?)?;
        piece.range.contains(addr).then_some(piece)
    }

    /// Returns whether an address may be a return address: the call instruction is before it.
    pub(crate) fn may_return_to(&self, addr: u64) -> bool {
        addr.checked_sub(1)
            .is_some_and(|call| self.at(call).is_some())
    }

    /// Returns the end of the highest range.
    pub(crate) fn end(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.range.end.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{CodeMap, MappedCode};
    use backsight_types::{AbsAddr, AbsRange};

    #[test]
    fn an_address_lies_in_one_piece_or_none() {
        let piece = |start, end| MappedCode {
            range: AbsRange {
                start: AbsAddr(start),
                end: AbsAddr(end),
            },
            file: None,
        };
        let map = CodeMap::new(vec![piece(0x3000, 0x4000), piece(0x1000, 0x2000)]);
        let found = [0, 0xfff, 0x1000, 0x1fff, 0x2000, 0x3000, 0x4000, u64::MAX]
            .map(|addr| map.at(addr).map(|piece| piece.range.start.0));
        let (low, high) = (Some(0x1000), Some(0x3000));
        assert_eq!(found, [None, None, low, low, None, high, None, None]);
        assert_eq!(map.end(), 0x4000);
        let returns = [0, 0x1000, 0x1001, 0x2000, 0x2001].map(|addr| map.may_return_to(addr));
        assert_eq!(returns, [false, false, true, true, false]);
        assert!(CodeMap::default().at(0).is_none());
    }
}
