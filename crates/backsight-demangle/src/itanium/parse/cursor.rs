//! The unparsed rest of a name.

use super::super::node::Quals;

#[derive(Clone, Copy, Debug)]
pub(super) struct NameCursor<'a> {
    rest: &'a str,
}

impl<'a> NameCursor<'a> {
    pub(super) fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the next byte; 0 at the end.
    pub(super) fn peek(&self) -> u8 {
        self.peek_at(0)
    }

    /// Returns the byte at this distance from the next one; 0 at the end.
    pub(super) fn peek_at(&self, ahead: usize) -> u8 {
        self.rest.as_bytes().get(ahead).copied().unwrap_or(0)
    }

    pub(super) fn is_digit(&self) -> bool {
        self.peek().is_ascii_digit()
    }

    /// Skips `text` if it is next, and returns whether it was.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Skips `text`, or fails if it is not next.
    pub(super) fn expect(&mut self, text: &str) -> Option<()> {
        self.eat(text).then_some(())
    }

    /// Returns and skips the next `bytes` bytes.
    pub(super) fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    /// Returns and skips the next digits, possibly none.
    pub(super) fn digits(&mut self) -> &'a str {
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let count = self.rest.bytes().take_while(is_digit).count();
        self.take(count).unwrap_or_default()
    }

    /// Returns and skips a number, which starts with `n` if it is negative.
    pub(super) fn signed(&mut self) -> Option<&'a str> {
        let start = self.rest;
        self.eat("n");
        let digits = self.digits();
        let sign = usize::from(start.starts_with('n'));
        let bytes = digits.len().checked_add(sign)?;
        start.get(..bytes).filter(|_| !digits.is_empty())
    }

    pub(super) fn number(&mut self) -> Option<usize> {
        self.digits().parse().ok()
    }

    /// Reads the index of a substitution: `_` is 0, `0_` is 1, in base 36.
    pub(super) fn sequence(&mut self) -> Option<usize> {
        if self.eat("_") {
            return Some(0);
        }
        let bytes = self.rest.find('_')?;
        let digits = self.take(bytes)?;
        if digits.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        self.expect("_")?;
        usize::from_str_radix(digits, 36).ok()?.checked_add(1)
    }

    /// Reads the index of a parameter: `_` is 0, `0_` is 1, in decimal.
    pub(super) fn parameter(&mut self) -> Option<usize> {
        if self.eat("_") {
            return Some(0);
        }
        let number = self.number()?;
        self.expect("_")?;
        number.checked_add(1)
    }

    /// Reads an identifier preceded by its length.
    pub(super) fn identifier(&mut self) -> Option<&'a str> {
        let bytes = self.number()?;
        self.take(bytes).filter(|name| !name.is_empty())
    }

    pub(super) fn qualifiers(&mut self) -> Quals {
        let is_restrict = self.eat("r");
        let is_volatile = self.eat("V");
        let is_const = self.eat("K");
        Quals {
            is_const,
            is_volatile,
            is_restrict,
        }
    }

    /// Skips the number that distinguishes local entities of the same name.
    pub(super) fn discriminator(&mut self) {
        let before = *self;
        let is_sound = if self.eat("__") {
            !self.digits().is_empty() && self.eat("_")
        } else if self.eat("_") {
            // A single digit.
            let is_digit = self.is_digit();
            self.take(1).is_some() && is_digit
        } else {
            // An extension: digits up to the end.
            !self.digits().is_empty() && self.is_at_end()
        };
        if !is_sound {
            *self = before;
        }
    }
}
