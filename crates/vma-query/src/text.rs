//! Parses one line of a maps text to a [`Vma`], without allocation.
//!
//! ```text
//! 7f00c0026000-7f00c017b000 r-xp 00026000 fe:00 326279      /usr/lib/libc.so.6
//! start        end          perms offset  device inode      name, to the end of line
//! ```
//!
//! Addresses, offset and device are hexadecimal without a fixed number of digits; the
//! inode is decimal. Spaces pad the name, which may contain spaces too.
//!
//! Source: `show_map_vma` in Linux `fs/proc/task_mmu.c`.

use backsight_types::{AbsAddr, AbsRange, Device, FileOffset, Perms};

use crate::vma::Vma;

/// What is wrong with a line.
pub(crate) type Reason = &'static str;

/// Returns the VMA of one line (without its newline), and its name as printed.
pub(crate) fn parse_line(line: &[u8]) -> Result<(Vma, &[u8]), Reason> {
    parse_range(line)?.parse()
}

/// A line of which only the range was parsed, which is enough to skip the line.
pub(crate) struct ParsedRange<'a> {
    pub(crate) range: AbsRange,
    fields: Fields<'a>,
}

/// Parses the range at the start of a line.
#[inline]
pub(crate) fn parse_range(line: &[u8]) -> Result<ParsedRange<'_>, Reason> {
    let mut fields = Fields { rest: line };
    let start = fields.hex().ok_or("the start address is not hexadecimal")?;
    fields.skip(b'-').ok_or("no `-` between start and end")?;
    let end = fields.hex().ok_or("the end address is not hexadecimal")?;
    if end <= start {
        return Err("the range does not end after its start");
    }
    let [start, end] = [start, end].map(AbsAddr);
    let range = AbsRange { start, end };
    Ok(ParsedRange { range, fields })
}

impl<'a> ParsedRange<'a> {
    /// Parses the rest; returns the VMA and its name as printed.
    pub(crate) fn parse(self) -> Result<(Vma, &'a [u8]), Reason> {
        let Self { range, mut fields } = self;
        fields.skip(b' ').ok_or("no space before the permissions")?;
        let perms = fields
            .perms()
            .ok_or("the permissions are not of the form r-xp")?;
        fields.skip(b' ').ok_or("no space before the offset")?;
        let offset = fields.hex().ok_or("the offset is not hexadecimal")?;
        fields.skip(b' ').ok_or("no space before the device")?;
        let major = fields.hex_u32().ok_or("the device is not hexadecimal")?;
        fields.skip(b':').ok_or("no `:` in the device")?;
        let minor = fields.hex_u32().ok_or("the device is not hexadecimal")?;
        fields.skip(b' ').ok_or("no space before the inode")?;
        let inode = fields
            .decimal()
            .ok_or("the inode is not a decimal number")?;
        let vma = Vma {
            start: range.start,
            end: range.end,
            offset: FileOffset(offset),
            perms,
            device: Device { major, minor },
            inode,
        };
        Ok((vma, fields.name().ok_or("no space after the inode")?))
    }
}

/// The part of a line that is still to be parsed.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    fn skip(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// Parses one or more digits; fails if the number does not fit 64 bits.
    #[inline]
    fn hex(&mut self) -> Option<u64> {
        let mut value: u64 = 0;
        let mut rest = self.rest;
        while let [first, tail @ ..] = rest {
            let digit = DIGITS.get(usize::from(*first)).copied();
            let Some(digit @ 0..16) = digit else {
                break;
            };
            if value >> 60 != 0 {
                return None;
            }
            value = (value << 4) | u64::from(digit);
            rest = tail;
        }
        let any = rest.len() < self.rest.len();
        self.rest = rest;
        any.then_some(value)
    }

    #[inline]
    fn hex_u32(&mut self) -> Option<u32> {
        self.hex()?.try_into().ok()
    }

    #[inline]
    fn decimal(&mut self) -> Option<u64> {
        let mut value: u64 = 0;
        let mut rest = self.rest;
        while let [first @ b'0'..=b'9', tail @ ..] = rest {
            value = value
                .checked_mul(10)?
                .checked_add(u64::from(first.wrapping_sub(b'0')))?;
            rest = tail;
        }
        let any = rest.len() < self.rest.len();
        self.rest = rest;
        any.then_some(value)
    }

    #[inline]
    fn perms(&mut self) -> Option<Perms> {
        let (four, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        let mut bits = 0;
        for (byte, (letter, unset, bit)) in four.iter().zip(LETTERS) {
            if *byte == letter {
                bits |= bit;
            } else if *byte != unset {
                return None;
            }
        }
        Some(Perms::from_bits(bits))
    }

    /// Parses the name. The kernel prints a space after the inode even if no name
    /// follows. Editors and copying remove it, so without a name it may be missing.
    #[inline]
    fn name(&mut self) -> Option<&'a [u8]> {
        let mut name = self.rest;
        // Only spaces are padding: a tab could be the first byte of a name.
        while let [b' ', tail @ ..] = name {
            name = tail;
        }
        (self.rest.is_empty() || name.len() < self.rest.len()).then_some(name)
    }
}

/// The value of each byte as a hexadecimal digit; 16 if it is none.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where an index out of bounds is an error"
)]
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        if let Some(digit) = (byte as char).to_digit(16) {
            digits[byte as usize] = digit as u8;
        }
        byte += 1;
    }
    digits
};

/// The letter of each permission, the letter if it is not set, and its bit.
const LETTERS: [(u8, u8, u8); 4] = [
    (b'r', b'-', Perms::READ.bits()),
    (b'w', b'-', Perms::WRITE.bits()),
    (b'x', b'-', Perms::EXECUTE.bits()),
    (b's', b'p', Perms::SHARED.bits()),
];

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, Device, FileOffset, Perms};
    use proptest::prelude::*;
    use testkit::maps::Line;

    use super::parse_line;
    use crate::Vma;

    #[test]
    fn lines_of_real_kernels_are_read() {
        let cases: [(&str, u64, u64, &[u8]); 6] = [
            (
                "7f00c0026000-7f00c017b000 r-xp 00026000 fe:00 326279                     /usr/lib/libc.so.6",
                0x7f00_c002_6000,
                326_279,
                b"/usr/lib/libc.so.6",
            ),
            (
                "7f00c0026000-7f00c017b000 rw-p 00000000 00:00 0 ",
                0x7f00_c002_6000,
                0,
                b"",
            ),
            (
                "7f00c0026000-7f00c017b000 rw-p 00000000 00:00 0",
                0x7f00_c002_6000,
                0,
                b"",
            ),
            (
                "08048000-08049000 r-xp 00000000 103:12345 77                             /bin/a b",
                0x0804_8000,
                77,
                b"/bin/a b",
            ),
            (
                "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
                0xffff_ffff_ff60_0000,
                0,
                b"[vsyscall]",
            ),
            (
                "1000-2000 rw-s 123456789a000 00:01 18446744073709551615 /SYSV00000000 (deleted)",
                0x1000,
                u64::MAX,
                b"/SYSV00000000 (deleted)",
            ),
        ];
        for (line, start, inode, name) in cases {
            let (vma, printed) = parse_line(line.as_bytes()).unwrap();
            assert_eq!(
                (vma.start, vma.inode, printed),
                (AbsAddr(start), inode, name),
                "{line}"
            );
        }
        let wide = parse_line(cases[3].0.as_bytes()).unwrap().0;
        assert_eq!(
            wide.device,
            Device {
                major: 0x103,
                minor: 0x12345
            }
        );
        let far = parse_line(cases[5].0.as_bytes()).unwrap().0;
        assert_eq!(far.offset, FileOffset(0x1_2345_6789_a000));
        assert_eq!(far.perms, Perms::READ | Perms::WRITE | Perms::SHARED);
    }

    #[test]
    fn other_lines_are_refused_with_their_reason() {
        let cases = [
            ("", "the start address is not hexadecimal"),
            (
                "g000-2000 r-xp 0 00:00 0 ",
                "the start address is not hexadecimal",
            ),
            (
                "10000000000000000-2 r-xp 0 00:00 0 ",
                "the start address is not hexadecimal",
            ),
            ("1000 2000 r-xp 0 00:00 0 ", "no `-` between start and end"),
            (
                "1000- r-xp 0 00:00 0 ",
                "the end address is not hexadecimal",
            ),
            (
                "2000-1000 r-xp 0 00:00 0 ",
                "the range does not end after its start",
            ),
            (
                "1000-1000 r-xp 0 00:00 0 ",
                "the range does not end after its start",
            ),
            (
                "1000-2000r-xp 0 00:00 0 ",
                "no space before the permissions",
            ),
            ("1000-2000 r-x", "the permissions are not of the form r-xp"),
            (
                "1000-2000 rxwp 0 00:00 0 ",
                "the permissions are not of the form r-xp",
            ),
            ("1000-2000 r-xp", "no space before the offset"),
            ("1000-2000 r-xp x 00:00 0 ", "the offset is not hexadecimal"),
            ("1000-2000 r-xp 0", "no space before the device"),
            (
                "1000-2000 r-xp 0 100000000:00 0 ",
                "the device is not hexadecimal",
            ),
            ("1000-2000 r-xp 0 00 0 ", "no `:` in the device"),
            ("1000-2000 r-xp 0 00:00", "no space before the inode"),
            (
                "1000-2000 r-xp 0 00:00 x ",
                "the inode is not a decimal number",
            ),
            (
                "1000-2000 r-xp 0 00:00 18446744073709551616 ",
                "the inode is not a decimal number",
            ),
            ("1000-2000 r-xp 0 00:00 5/lib", "no space after the inode"),
        ];
        for (line, want) in cases {
            assert_eq!(parse_line(line.as_bytes()), Err(want), "{line}");
        }
    }

    proptest! {
        #[test]
        fn printed_lines_are_read_back(
            (start, size) in (0..u64::MAX - 1).prop_flat_map(|s| (Just(s), 1..=u64::MAX - s)),
            bits in 0_u8..16,
            offset in any::<u64>(),
            (major, minor) in any::<(u32, u32)>(),
            inode in any::<u64>(),
            name in "(/[ -~]{0,40})?",
        ) {
            let vma = Vma {
                start: AbsAddr(start),
                end: AbsAddr(start + size),
                offset: FileOffset(offset),
                perms: Perms::from_bits(bits),
                device: Device { major, minor },
                inode,
            };
            let text = testkit::maps::text([&Line {
                start,
                end: start + size,
                perms: vma.perms.to_bytes(),
                offset,
                major,
                minor,
                inode,
                name: name.clone().into_bytes(),
            }]);
            let line = text.strip_suffix(b"\n").unwrap();
            prop_assert_eq!(parse_line(line), Ok((vma, name.as_bytes())));
        }

        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_line(&line);
        }
    }
}
