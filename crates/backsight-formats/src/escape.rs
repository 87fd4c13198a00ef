//! One escape per sink. So far the terminal's; JSON is escaped by its writer.
//!
//! A symbol name or a path is whatever bytes an attacker put into a file. Printed
//! raw, `ESC ] 0 ; …` renames the window, a carriage return overwrites the line,
//! and U+202E shows text backwards.

use std::fmt::{self, Write};

/// Text that shows its control characters instead of acting on them.
///
/// Bytes below 0x20, DEL and bytes that are not UTF-8 show as `\xNN`; C1 controls,
/// line separators and the controls of writing direction as `\u{NNNN}`. A
/// backslash stays single: this is for eyes, and cannot be read back for sure.
#[derive(Clone, Copy, Debug)]
pub struct Terminal<'a>(pub &'a [u8]);

impl fmt::Display for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find(is_active) {
                let (plain, tail) = rest.split_at(at);
                f.write_str(plain)?;
                let mut chars = tail.chars();
                if let Some(active) = chars.next() {
                    write_escaped(active, f)?;
                }
                rest = chars.as_str();
            }
            f.write_str(rest)?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn write_escaped(active: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match active {
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        '\r' => f.write_str("\\r"),
        _ if active.is_ascii() => write!(f, "\\x{:02x}", u32::from(active)),
        _ => {
            f.write_str("\\u{")?;
            write!(f, "{:x}", u32::from(active))?;
            f.write_char('}')
        }
    }
}

/// Returns whether a terminal acts on the character instead of showing it.
fn is_active(c: char) -> bool {
    c.is_control() // C0, DEL, C1
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}'   // direction marks
            | '\u{2028}' | '\u{2029}'              // line and paragraph separators
            | '\u{202a}'..='\u{202e}'              // embeddings and overrides
            | '\u{2066}'..='\u{2069}') // isolates
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Terminal, is_active};

    #[test]
    fn what_acts_on_a_terminal_is_shown() {
        let cases: [(&str, &[u8], &str); 9] = [
            ("plain", b"main", "main"),
            ("UTF-8", "größe<T>::λ".as_bytes(), "größe<T>::λ"),
            ("window title", b"a\x1b]0;x\x07b", "a\\x1b]0;x\\x07b"),
            ("line ends", b"a\nb\rc\td", "a\\nb\\rc\\td"),
            ("DEL and NUL", b"\x7f\x00", "\\x7f\\x00"),
            ("C1 as UTF-8", "\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("C1 as a byte", b"\x9b31m", "\\x9b31m"),
            (
                "bidi",
                "a\u{202e}b\u{2066}".as_bytes(),
                "a\\u{202e}b\\u{2066}",
            ),
            ("cut UTF-8", b"a\xe2\x82", "a\\xe2\\x82"),
        ];
        for (name, raw, want) in cases {
            assert_eq!(Terminal(raw).to_string(), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_active_comes_out(raw: Vec<u8>) {
            prop_assert!(!Terminal(&raw).to_string().contains(is_active));
        }

        #[test]
        fn harmless_text_stays(text in "[ -~äλ]*") {
            prop_assert_eq!(Terminal(text.as_bytes()).to_string(), text);
        }
    }
}
