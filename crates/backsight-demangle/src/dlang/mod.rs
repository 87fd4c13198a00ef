//! Demangles D names.
//!
//! Grammar: D language specification, "Application Binary Interface", name mangling, with the
//! back references of 2018 (`Q`). The output is that of GNU's demangler: the qualified name with
//! its parameters, without return type and attributes.

mod symbols;
mod types;
mod values;

/// The maximum nesting of a name.
const MAX_DEPTH: u32 = 128;

/// The maximum number of parts that are read for each byte of the limit. Parts are read more
/// than once because of back references.
const MAX_STEPS_PER_BYTE: usize = 4;

/// Returns the demangled form of a name that starts with `_D`, if it has at most `limit` bytes.
pub(crate) fn demangle(name: &str, limit: usize) -> Option<String> {
    if name == "_Dmain" {
        return Some("D main".to_owned());
    }
    let mut parser = DlangParser {
        name,
        at: 0,
        limit,
        steps: MAX_STEPS_PER_BYTE.saturating_mul(limit),
        depth: 0,
    };
    let text = parser.mangled_name()?;
    (parser.at == name.len()).then_some(text)
}

struct DlangParser<'a> {
    name: &'a str,
    at: usize,
    limit: usize,
    /// Parts that may still be read.
    steps: usize,
    depth: u32,
}

impl<'a> DlangParser<'a> {
    fn rest(&self) -> &'a str {
        self.name.get(self.at..).unwrap_or_default()
    }

    /// Returns the next byte; 0 at the end.
    fn peek(&self) -> u8 {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> u8 {
        let bytes = self.rest().as_bytes();
        bytes.get(ahead).copied().unwrap_or(0)
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at = self.at.saturating_add(text.len());
        }
        is_next
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        self.eat(text).then_some(())
    }

    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let taken = self.rest().get(..bytes)?;
        self.at = self.at.checked_add(bytes)?;
        Some(taken)
    }

    fn take_while(&mut self, is_wanted: impl Fn(&u8) -> bool) -> &'a str {
        let count = self.rest().bytes().take_while(is_wanted).count();
        self.take(count).unwrap_or_default()
    }

    fn digits(&mut self) -> Option<&'a str> {
        let digits = self.take_while(u8::is_ascii_digit);
        (!digits.is_empty()).then_some(digits)
    }

    fn number(&mut self) -> Option<usize> {
        self.digits()?.parse().ok()
    }

    /// Reads a back reference and returns its target: `Q`, then a base-26 number that ends in a
    /// lower-case letter, counted back from the `Q`.
    fn back_reference(&mut self) -> Option<usize> {
        let start = self.at;
        self.expect("Q")?;
        let mut back: usize = 0;
        loop {
            let letter = self.peek();
            self.take(1)?;
            let (first, is_last) = match letter {
                b'A'..=b'Z' => (b'A', false),
                b'a'..=b'z' => (b'a', true),
                _ => return None,
            };
            let digit = usize::from(letter.checked_sub(first)?);
            back = back.checked_mul(26)?.checked_add(digit)?;
            if is_last {
                return start.checked_sub(back).filter(|_| back > 0);
            }
        }
    }

    /// Reads the target of a back reference.
    fn elsewhere<T>(
        &mut self,
        place: usize,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let behind = std::mem::replace(&mut self.at, place);
        let result = read(self)?;
        self.at = behind;
        Some(result)
    }

    /// Reads one level deeper.
    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Option<String>) -> Option<String> {
        self.steps = self.steps.checked_sub(1)?;
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return None;
        }
        let result = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        // The text of a back reference's target is written again.
        self.steps = self.steps.checked_sub(result.len())?;
        (result.len() <= self.limit).then_some(result)
    }
}
