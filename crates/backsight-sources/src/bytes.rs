//! Reads numbers and texts at offsets of a byte slice, with bounds checks.

/// Bytes, and the encoding of numbers in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'d> {
    pub(crate) all: &'d [u8],
    pub(crate) big_endian: bool,
    /// The size of an address in bytes: 4 or 8.
    pub(crate) pointer: usize,
}

impl<'d> Bytes<'d> {
    /// Returns the unsigned number of `size` bytes, at most 8.
    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.all.get(at..at.checked_add(size)?)?;
        let digit = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(match self.big_endian {
            true => bytes.iter().fold(0, digit),
            false => bytes.iter().rev().fold(0, digit),
        })
    }

    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.all.get(at).copied()
    }

    pub(crate) fn half(&self, at: usize) -> Option<u16> {
        u16::try_from(self.number(at, 2)?).ok()
    }

    pub(crate) fn word(&self, at: usize) -> Option<u32> {
        u32::try_from(self.number(at, 4)?).ok()
    }

    pub(crate) fn address(&self, at: usize) -> Option<u64> {
        self.number(at, self.pointer)
    }

    /// Returns an address-sized number that is an offset or a count.
    pub(crate) fn size(&self, at: usize) -> Option<usize> {
        usize::try_from(self.address(at)?).ok()
    }

    /// Returns the bytes up to the next NUL; `None` if there are more than `limit`.
    pub(crate) fn text(&self, at: usize, limit: usize) -> Option<&'d [u8]> {
        let rest = self.all.get(at..)?;
        let most = limit.saturating_add(1).min(rest.len());
        let end = memchr::memchr(0, rest.get(..most)?)?;
        rest.get(..end)
    }
}

/// Returns an offset plus a 32-bit number.
pub(crate) fn offset(base: usize, more: u32) -> Option<usize> {
    base.checked_add(usize::try_from(more).ok()?)
}
