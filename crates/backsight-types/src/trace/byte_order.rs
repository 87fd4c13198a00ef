//! Reads numbers in the byte order of the machine that wrote them.

/// Which byte of a number is stored first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The least significant.
    Little,
    /// The most significant.
    Big,
}

impl ByteOrder {
    /// The byte order of this machine.
    pub const NATIVE: Self = match cfg!(target_endian = "big") {
        true => Self::Big,
        false => Self::Little,
    };
}

impl Default for ByteOrder {
    fn default() -> Self {
        Self::NATIVE
    }
}

/// Reads consecutive numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Words<'a> {
    #[inline]
    pub(crate) fn new(rest: &'a [u8], order: ByteOrder) -> Self {
        Self { rest, order }
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        let raw = self.take()?;
        Some(match self.order {
            ByteOrder::Big => u32::from_be_bytes(raw),
            ByteOrder::Little => u32::from_le_bytes(raw),
        })
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        let raw = self.take()?;
        Some(match self.order {
            ByteOrder::Big => u64::from_be_bytes(raw),
            ByteOrder::Little => u64::from_le_bytes(raw),
        })
    }
}
