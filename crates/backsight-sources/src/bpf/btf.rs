//! The strings of type information (BTF).

/// The first bytes of BTF, in the byte order of its machine.
const MAGIC: u16 = 0xeb9f;

/// The strings of a program's type information.
#[derive(Clone, Copy, Debug)]
pub(super) struct BtfStrings<'a>(&'a [u8]);

impl<'a> BtfStrings<'a> {
    /// Finds the strings; `None` if the header is damaged.
    pub(super) fn of(btf: &'a [u8]) -> Option<Self> {
        let magic = *btf.first_chunk::<2>()?;
        let is_big = u16::from_be_bytes(magic) == MAGIC;
        if !is_big && u16::from_le_bytes(magic) != MAGIC {
            return None;
        }
        let word = |at: usize| {
            let bytes = *btf.get(at..)?.first_chunk::<4>()?;
            let word = match is_big {
                true => u32::from_be_bytes(bytes),
                false => u32::from_le_bytes(bytes),
            };
            usize::try_from(word).ok()
        };
        // `struct btf_header`: after magic, version and flags, the sizes and places of its parts.
        let (header, start, len) = (word(4)?, word(16)?, word(20)?);
        let start = header.checked_add(start)?;
        let strings = btf.get(start..start.checked_add(len)?)?;
        Some(Self(strings))
    }

    /// Returns the string at an offset; `None` if it is empty or not text.
    pub(super) fn get(self, offset: u32) -> Option<&'a str> {
        let rest = self.0.get(usize::try_from(offset).ok()?..)?;
        let end = memchr::memchr(0, rest)?;
        let text = str::from_utf8(rest.get(..end)?).ok()?;
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::BtfStrings;

    fn btf(big: bool, start: u32, len: u32, strings: &[u8]) -> Vec<u8> {
        let mut bytes = match big {
            true => vec![0xeb, 0x9f, 1, 0],
            false => vec![0x9f, 0xeb, 1, 0],
        };
        for word in [24, 0, start, start, len] {
            let word: u32 = word;
            bytes.extend(match big {
                true => word.to_be_bytes(),
                false => word.to_le_bytes(),
            });
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn strings_are_found_in_both_byte_orders() {
        for big in [false, true] {
            let bytes = btf(big, 4, 8, b"....\0a.c\0\xff\0b");
            let strings = BtfStrings::of(&bytes).expect("whole");
            let found = [0, 1, 2, 5, 7, 8, u32::MAX].map(|at| strings.get(at));
            let want = [None, Some("a.c"), Some(".c"), None, None, None, None];
            assert_eq!(found, want, "{big}");
        }
    }

    #[test]
    fn damaged_headers_have_no_strings() {
        let whole = btf(false, 0, 4, b"\0a.\0");
        assert!(BtfStrings::of(&whole).is_some());
        for len in 0..whole.len() {
            assert!(BtfStrings::of(&whole[..len]).is_none(), "{len}");
        }
        for (start, len) in [(u32::MAX, 4), (0, u32::MAX), (1, 4), (0, 5)] {
            assert!(BtfStrings::of(&btf(false, start, len, b"\0a.\0")).is_none());
        }
        assert!(BtfStrings::of(b"\x7fELF").is_none());
    }
}
