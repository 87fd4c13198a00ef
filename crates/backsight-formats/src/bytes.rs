//! Reads numbers from untrusted bytes, in the byte order of the machine that wrote them.

/// The unread rest of a record. Each method returns `None` if too few bytes are left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    big: bool,
}

impl<'a> Bytes<'a> {
    /// Creates a reader of `rest`; big-endian if `big`.
    #[inline]
    pub(crate) fn new(rest: &'a [u8], big: bool) -> Self {
        Self { rest, big }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes `count` bytes, where the count is a number from the file.
    #[inline]
    pub(crate) fn take_u64(&mut self, count: u64) -> Option<&'a [u8]> {
        self.take(usize::try_from(count).ok()?)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        let raw = self.array()?;
        Some(match self.big {
            true => u16::from_be_bytes(raw),
            false => u16::from_le_bytes(raw),
        })
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        let raw = self.array()?;
        Some(match self.big {
            true => u32::from_be_bytes(raw),
            false => u32::from_le_bytes(raw),
        })
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        let raw = self.array()?;
        Some(match self.big {
            true => u64::from_be_bytes(raw),
            false => u64::from_le_bytes(raw),
        })
    }

    /// Returns the bytes before the first zero byte, or all bytes if there is none.
    pub(crate) fn text(&self) -> &'a [u8] {
        until_zero(self.rest)
    }

    /// Takes the bytes up to the next zero byte, and skips it; `None` if there is none.
    pub(crate) fn terminated(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.rest)?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    /// Takes a `perf_header_string`: a 32-bit length, which includes padding, and that many bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let len = u64::from(self.u32()?);
        self.take_u64(len).map(until_zero)
    }
}

/// Returns the bytes before the first zero byte.
pub(crate) fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn numbers_come_in_either_byte_order() {
        let raw = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut little = Bytes::new(&raw, false);
        assert_eq!(little.u16(), Some(0x0201));
        assert_eq!(little.u32(), Some(0x0605_0403));
        assert_eq!(little.u64(), None);
        assert_eq!(little.rest(), [7, 8, 9]);
        assert_eq!(Bytes::new(&raw, true).u64(), Some(0x0102_0304_0506_0708));
    }

    #[test]
    fn a_string_has_its_length_before_it() {
        let raw = [4, 0, 0, 0, b'a', b'b', 0, 0, b'c'];
        let mut bytes = Bytes::new(&raw, false);
        assert_eq!(bytes.string(), Some(&b"ab"[..]));
        assert_eq!(bytes.text(), b"c");
        assert_eq!(Bytes::new(&[9, 0, 0, 0, b'a'], false).string(), None);
        let mut bytes = Bytes::new(b"ab\0\0c", false);
        assert_eq!(bytes.terminated(), Some(&b"ab"[..]));
        assert_eq!(bytes.terminated(), Some(&b""[..]));
        assert_eq!(bytes.terminated(), None);
    }
}
