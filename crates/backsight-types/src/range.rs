//! Half-open ranges of absolute addresses.

use crate::addr::AbsAddr;

/// The addresses from `start` to `end`, without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AbsRange {
    /// The first address.
    pub start: AbsAddr,
    /// The first address after the range.
    pub end: AbsAddr,
}

impl AbsRange {
    /// Returns the range, or `None` if `end` is below `start`.
    #[must_use]
    pub fn new(start: AbsAddr, end: AbsAddr) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// Returns whether `addr` lies inside.
    #[must_use]
    pub fn contains(&self, addr: AbsAddr) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Returns the size in bytes; 0 if `end` is below `start`.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }
}

#[cfg(test)]
mod tests {
    use super::AbsRange;
    use crate::AbsAddr;

    #[test]
    fn the_end_is_exclusive() {
        let range = AbsRange::new(AbsAddr(0x1000), AbsAddr(0x2000)).unwrap();
        let cases = [
            (0xfff, false),
            (0x1000, true),
            (0x1fff, true),
            (0x2000, false),
        ];
        for (addr, want) in cases {
            assert_eq!(range.contains(AbsAddr(addr)), want, "{addr:#x}");
        }
        assert_eq!(range.size(), 0x1000);
    }

    #[test]
    fn a_backward_range_is_refused() {
        assert_eq!(AbsRange::new(AbsAddr(2), AbsAddr(1)), None);
    }
}
