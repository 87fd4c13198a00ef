//! A place in the bytes of a section, and the numbers that follow it.
//!
//! gimli's own reader carries a slice that shrinks; here a position moves, so
//! that an offset in the unit costs nothing, and a number of one byte, which
//! most are, is read without a loop.

use super::slice::Slice;
use crate::dwarf::fault::Fault;

/// Bytes and a position in them, which never passes their end.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct DwarfCursor<'d> {
    bytes: &'d [u8],
    at: usize,
    big: bool,
}

/// The bytes before a cursor.
#[derive(Clone, Copy, Debug)]
pub(in crate::dwarf) struct Rest<'d> {
    bytes: &'d [u8],
    big: bool,
}

impl<'d> DwarfCursor<'d> {
    /// Starts at `at`, or at the end if that comes first.
    pub(in crate::dwarf) fn new(bytes: Slice<'d>, at: usize) -> Self {
        Self {
            at: at.min(bytes.len()),
            big: gimli::Reader::endian(&bytes) == gimli::RunTimeEndian::Big,
            bytes: bytes.slice(),
        }
    }

    /// Returns the offset of the next byte.
    pub(in crate::dwarf) fn at(&self) -> usize {
        self.at
    }

    pub(in crate::dwarf) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Returns the place behind the last byte.
    pub(in crate::dwarf) fn end(&self) -> Self {
        Self {
            at: self.bytes.len(),
            ..*self
        }
    }

    #[inline]
    pub(in crate::dwarf) fn skip(&mut self, count: usize) -> Result<(), Fault> {
        let at = self.at.checked_add(count);
        let at = at.filter(|at| *at <= self.bytes.len());
        self.at = at.ok_or(Fault::Malformed)?;
        Ok(())
    }

    /// Skips a count that plans keep in 32 bits.
    #[inline]
    pub(in crate::dwarf) fn skip_wide(&mut self, count: u32) -> Result<(), Fault> {
        self.skip(usize::try_from(count).map_err(|_| Fault::Malformed)?)
    }

    #[inline]
    pub(in crate::dwarf) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Malformed)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    /// Reads a number of `size` bytes, 1 to 8.
    #[inline]
    pub(in crate::dwarf) fn number(&mut self, size: u8) -> Result<u64, Fault> {
        let number = self.rest().number_at(0, unused_bits(size))?;
        // It is within the bytes: the sum cannot pass their length.
        self.at = self.at.saturating_add(size.into());
        Ok(number)
    }

    /// Returns the bytes from here on.
    #[inline]
    pub(in crate::dwarf) fn rest(&self) -> Rest<'d> {
        Rest {
            bytes: self.bytes.get(self.at..).unwrap_or_default(),
            big: self.big,
        }
    }

    /// Reads an unsigned LEB128 number. One that does not fit 64 bits is
    /// malformed.
    #[inline]
    pub(in crate::dwarf) fn uleb(&mut self) -> Result<u64, Fault> {
        let from = self.at;
        let byte = self.byte()?;
        if byte < 0x80 {
            return Ok(byte.into());
        }
        let number;
        (number, self.at) = long_uleb(self.bytes, from)?;
        Ok(number)
    }

    /// Reads a signed LEB128 number. One that does not fit 64 bits is malformed.
    #[inline]
    pub(in crate::dwarf) fn sleb(&mut self) -> Result<i64, Fault> {
        let from = self.at;
        let byte = self.byte()?;
        if byte < 0x80 {
            // Seven bits, the highest of which is the sign.
            return Ok(i64::from(byte) << 57 >> 57);
        }
        let number;
        (number, self.at) = long_sleb(self.bytes, from)?;
        Ok(number)
    }

    #[inline]
    pub(in crate::dwarf) fn skip_leb(&mut self) -> Result<(), Fault> {
        while self.byte()? >= 0x80 {}
        Ok(())
    }

    /// Skips `count` bytes, and returns a cursor over just them.
    pub(in crate::dwarf) fn split(&mut self, count: u64) -> Result<Self, Fault> {
        let from = self.at;
        self.skip(usize::try_from(count).map_err(|_| Fault::Malformed)?)?;
        Ok(Self {
            bytes: self.bytes.get(..self.at).unwrap_or_default(),
            at: from,
            big: self.big,
        })
    }

    /// Passes a text and the zero that ends it.
    pub(in crate::dwarf) fn skip_text(&mut self) -> Result<(), Fault> {
        self.text().map(|_| ())
    }

    /// Reads a text and passes the zero that ends it.
    pub(in crate::dwarf) fn text(&mut self) -> Result<&'d [u8], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let text = std::ffi::CStr::from_bytes_until_nul(rest);
        let text = text.map_err(|_| Fault::Malformed)?.to_bytes();
        self.skip(text.len().saturating_add(1))?;
        Ok(text)
    }
}

impl Rest<'_> {
    /// Reads the number `at` bytes from here. It has 64 − `unused` bits, and `unused` is a
    /// multiple of 8 below 64.
    #[inline]
    pub(in crate::dwarf) fn number_at(&self, at: usize, unused: u8) -> Result<u64, Fault> {
        let eight = match self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            // One load, whatever the size: what is too much is shifted out.
            Some(eight) => u64::from_ne_bytes(*eight),
            None => last(self.bytes, at, unused)?,
        };
        let number = match self.big {
            false => u64::from_le(eight).wrapping_shl(unused.into()),
            true => u64::from_be(eight),
        };
        Ok(number.wrapping_shr(unused.into()))
    }
}

/// Returns how many of the bits of eight bytes are too many for a number of `size` bytes,
/// 1 to 8.
#[inline]
pub(in crate::dwarf) fn unused_bits(size: u8) -> u8 {
    64_u8.wrapping_sub(size.wrapping_mul(8))
}

// What is rare: a cursor that is lent to none of them stays in registers.

/// Returns the bytes of a number that has fewer than eight before the end, and zeros.
#[cold]
fn last(bytes: &[u8], at: usize, unused: u8) -> Result<u64, Fault> {
    let size = usize::from(64_u8.saturating_sub(unused) / 8);
    let bytes = bytes.get(at..).and_then(|bytes| bytes.get(..size));
    let mut eight = [0; 8];
    let pairs = eight.iter_mut().zip(bytes.ok_or(Fault::Malformed)?);
    pairs.for_each(|(to, from)| *to = *from);
    Ok(u64::from_ne_bytes(eight))
}

/// Reads the number at `at`, and returns where it ends as well.
#[inline(never)]
fn long_uleb(bytes: &[u8], mut at: usize) -> Result<(u64, usize), Fault> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(at).ok_or(Fault::Malformed)?;
        at = at.saturating_add(1);
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((number, at));
        }
    }
    match bytes.get(at) {
        Some(top @ (0 | 1)) => Ok((number | u64::from(*top) << 63, at.saturating_add(1))),
        _ => Err(Fault::Malformed),
    }
}

/// Reads the number at `at`, and returns where it ends as well.
#[inline(never)]
fn long_sleb(bytes: &[u8], mut at: usize) -> Result<(i64, usize), Fault> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(at).ok_or(Fault::Malformed)?;
        at = at.saturating_add(1);
        number |= i64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            // What the sign bit says holds for all bits above it.
            let unused = 57_u32.saturating_sub(shift);
            return Ok((number << unused >> unused, at));
        }
    }
    let number = match bytes.get(at) {
        Some(0) => number,
        Some(0x7f) => number | i64::MIN,
        _ => return Err(Fault::Malformed),
    };
    Ok((number, at.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use gimli::{EndianSlice, Reader as _, RunTimeEndian};
    use proptest::prelude::*;

    use super::DwarfCursor;

    proptest! {
        #[test]
        fn numbers_are_those_that_gimli_reads(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x80_u8..=0xff], 0..14),
            size in prop_oneof![Just(1_u8), Just(2), Just(3), Just(4), Just(8)],
            big in any::<bool>(),
        ) {
            let endian = if big { RunTimeEndian::Big } else { RunTimeEndian::Little };
            let slice = EndianSlice::new(&bytes, endian);
            let cursor = || DwarfCursor::new(slice, 0);

            let (mut ours, mut theirs) = (cursor(), slice);
            prop_assert_eq!(ours.uleb().ok(), theirs.read_uleb128().ok());
            let (mut ours, mut theirs) = (cursor(), slice);
            prop_assert_eq!(ours.sleb().ok(), theirs.read_sleb128().ok());
            let (mut ours, mut theirs) = (cursor(), slice);
            let fixed = theirs.read_uint(size.into()).ok();
            prop_assert_eq!(ours.number(size).ok(), fixed);
            if fixed.is_some() {
                prop_assert_eq!(bytes.get(ours.at()..), Some(theirs.slice()));
            }
            let (mut ours, mut theirs) = (cursor(), slice);
            let passed = ours.skip_text().is_ok().then_some(ours.at());
            let text = theirs.read_null_terminated_slice();
            prop_assert_eq!(passed, text.ok().map(|text| text.len().saturating_add(1)));
        }
    }
}
