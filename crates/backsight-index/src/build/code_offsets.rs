//! Code offsets: offsets in the concatenation of all code.
//!
//! ```text
//!   virtual offsets   ├─.init─┤      ├──.text──┤ ├─.fini─┤
//!   code offsets      0      17     17       9000       9009
//! ```
//!
//! Sections may be at any 64-bit address, but no file has 4 GiB of code, so code offsets
//! fit 32 bits.

use crate::format::{Window, code_offset, virt_offset, window_at};

/// The ranges of a file's code.
#[derive(Debug)]
pub struct CodeOffsets {
    windows: Vec<Window>,
    size: u32,
}

impl CodeOffsets {
    /// Returns the code offsets of ascending, disjoint ranges; `None` if they have 4 GiB
    /// or more.
    pub fn new(ranges: impl Iterator<Item = (u64, u64)>) -> Option<Self> {
        let mut windows = Vec::new();
        let mut size: u32 = 0;
        for (begin, end) in ranges {
            let length = u32::try_from(end.checked_sub(begin)?).ok()?;
            windows.push(Window::new(begin, length, size));
            size = size.checked_add(length)?;
        }
        Some(Self { windows, size })
    }

    /// Returns the size of all code in bytes.
    pub fn size(&self) -> u32 {
        self.size
    }

    pub(crate) fn into_windows(self) -> Vec<Window> {
        self.windows
    }

    /// Returns the code offset of `addr`; `None` if there is no code.
    #[inline]
    pub fn offset(&self, addr: u64) -> Option<u32> {
        code_offset(&self.windows, addr)
    }

    /// Returns the virtual offset of a code offset.
    #[inline]
    pub fn virt_offset(&self, at: u32) -> Option<u64> {
        virt_offset(&self.windows, at)
    }

    /// Calls `found` for each part of `begin..end` that is code, with the virtual offset
    /// of its start and the code offsets of its start and end.
    pub fn parts(&self, begin: u64, end: u64, mut found: impl FnMut(u64, u32, u32)) {
        let first = window_at(&self.windows, begin).unwrap_or(0);
        for window in self.windows.get(first..).unwrap_or_default() {
            let (start, size) = (window.start(), window.size());
            if start >= end {
                break;
            }
            // The result is within the window, so it fits 32 bits.
            let within = |addr: u64| {
                let into = addr.saturating_sub(start).min(size.into());
                window
                    .first()
                    .saturating_add(u32::try_from(into).unwrap_or(size))
            };
            let (from, to) = (within(begin), within(end));
            if from < to {
                found(begin.max(start), from, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CodeOffsets;

    #[test]
    fn windows_lie_end_to_end() {
        let high = 0xffff_ffff_8000_0000;
        let ranges = [(0x10, 0x20), (0x20, 0x28), (high, high + 8)];
        let map = CodeOffsets::new(ranges.into_iter()).unwrap();
        let cases = [
            (0xf, None),
            (0x10, Some(0)),
            (0x1f, Some(15)),
            (0x20, Some(16)),
            (0x27, Some(23)),
            (0x28, None),
            (high, Some(24)),
            (high + 7, Some(31)),
            (high + 8, None),
            (u64::MAX, None),
        ];
        for (addr, want) in cases {
            assert_eq!(map.offset(addr), want, "{addr:#x}");
        }
        assert_eq!(map.size(), 32);
    }

    #[test]
    fn a_range_is_cut_into_its_code() {
        let ranges = [(0x10, 0x20), (0x20, 0x28), (0x40, 0x50)];
        let map = CodeOffsets::new(ranges.into_iter()).unwrap();
        type Part = (u64, u32, u32);
        let cases: [(u64, u64, &[Part]); 6] = [
            (0, 0x10, &[]),
            (0x12, 0x14, &[(0x12, 2, 4)]),
            (0, 0x22, &[(0x10, 0, 16), (0x20, 16, 18)]),
            (0x26, 0x48, &[(0x26, 22, 24), (0x40, 24, 32)]),
            (0x28, 0x40, &[]),
            (0x50, u64::MAX, &[]),
        ];
        for (begin, end, want) in cases {
            let mut parts = Vec::new();
            map.parts(begin, end, |virt, from, to| parts.push((virt, from, to)));
            assert_eq!(parts, want, "{begin:#x}..{end:#x}");
        }
    }

    #[test]
    fn four_gibibytes_are_too_many() {
        let whole = [(0, u64::from(u32::MAX))];
        assert!(CodeOffsets::new(whole.into_iter()).is_some());
        let more = [(0, u64::from(u32::MAX)), (u64::from(u32::MAX), 1 << 33)];
        assert!(CodeOffsets::new(more.into_iter()).is_none());
        assert!(CodeOffsets::new([(0, u64::MAX)].into_iter()).is_none());
    }
}
