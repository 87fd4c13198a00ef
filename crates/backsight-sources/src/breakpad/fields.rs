//! The fields of a line, which are separated by spaces.

/// The rest of a line that is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'l>(pub(super) &'l [u8]);

impl<'l> Fields<'l> {
    /// Returns the next field, or an empty one at the end of the line.
    pub(super) fn word(&mut self) -> &'l [u8] {
        self.skip_spaces();
        let end = self.0.iter().position(|byte| *byte == b' ');
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        word
    }

    /// Returns the rest of the line, which may contain spaces.
    pub(super) fn rest(mut self) -> &'l [u8] {
        self.skip_spaces();
        self.0
    }

    /// Returns the next field as a hexadecimal number of at most 64 bits.
    pub(super) fn hex(&mut self) -> Option<u64> {
        hex(self.word())
    }

    /// Returns the next field as a decimal number of at most 32 bits.
    pub(super) fn decimal(&mut self) -> Option<u32> {
        decimal(self.word())
    }

    /// Skips the mark of a function or symbol that shares its code with others.
    pub(super) fn skip_multiple(&mut self) {
        let mut after = *self;
        if after.word() == b"m" {
            *self = after;
        }
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_spaces();
        self.0.is_empty()
    }

    fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}

pub(super) fn hex(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > 16 {
        return None;
    }
    word.iter().try_fold(0_u64, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some((value << 4) | u64::from(digit))
    })
}

pub(super) fn decimal(word: &[u8]) -> Option<u32> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u32, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, decimal, hex};

    #[test]
    fn numbers_are_digits_alone() {
        assert_eq!(hex(b"0Ff"), Some(255));
        assert_eq!(hex(b"ffffffffffffffff"), Some(u64::MAX));
        for wrong in ["", "-1", "+1", "0x1", "10000000000000000"] {
            assert_eq!(hex(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        for wrong in ["", "-1", "a", "4294967296"] {
            assert_eq!(decimal(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn the_rest_keeps_its_spaces() {
        let mut fields = Fields(b"FUNC m  10 f(int, char)");
        assert_eq!(fields.word(), b"FUNC");
        fields.skip_multiple();
        assert_eq!(fields.hex(), Some(16));
        assert_eq!(fields.rest(), b"f(int, char)");
    }
}
