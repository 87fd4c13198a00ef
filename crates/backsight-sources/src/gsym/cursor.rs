//! Reads consecutive variable-length numbers.

/// The bytes that are still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteCursor<'d>(pub(super) &'d [u8]);

impl ByteCursor<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn word(&mut self, big_endian: bool) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(match big_endian {
            true => u32::from_be_bytes(*first),
            false => u32::from_le_bytes(*first),
        })
    }

    /// Returns an unsigned LEB128 number; `None` also if it has more than 64 bits.
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return None;
            }
            value |= shifted;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Returns a signed LEB128 number of at most 63 bits.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let mut value = 0_i64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let above = 57_u32.saturating_sub(shift);
                return Some((value << above) >> above);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::ByteCursor;

    #[test]
    fn numbers_end_where_they_say() {
        let unsigned = |bytes: &[u8]| ByteCursor(bytes).unsigned();
        assert_eq!(unsigned(&[0xe5, 0x8e, 0x26]), Some(624_485));
        assert_eq!(unsigned(&[0xe5, 0x8e]), None);
        assert_eq!(unsigned(&[0xff; 12]), None);
        let signed = |bytes: &[u8]| ByteCursor(bytes).signed();
        assert_eq!(signed(&[0x7f]), Some(-1));
        assert_eq!(signed(&[0x3f]), Some(63));
        assert_eq!(signed(&[0xc0, 0xbb, 0x78]), Some(-123_456));
        assert_eq!(signed(&[0xff; 12]), None);
    }
}
