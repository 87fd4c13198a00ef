//! Escapes names and paths for a terminal and for folded stacks. JSON and XML are escaped by their
//! writers.
//!
//! Symbol names and paths come from untrusted files. Printed unescaped, `ESC ] 0 ; …` would rename
//! the window, a carriage return would overwrite the line, and U+202E would reverse the text.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Displays text with its control characters escaped.
///
/// Bytes below 0x20, DEL and bytes that are not UTF-8 are shown as `\xNN`; C1 controls, line
/// separators and bidirectional controls as `\u{NNNN}`. A backslash is not escaped: the output is
/// for people, and cannot always be converted back.
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

/// Displays a name of folded stacks, where `;` separates names and each stack is one line.
///
/// `;` and control characters are shown as `\xNN` or `\u{NNNN}`, so that tools that know no escapes
/// still split the line correctly. A backslash is escaped (`\x5c`) only before `x` or `u`, so that
/// [`unfolded`] can convert the name back.
#[derive(Clone, Copy, Debug)]
pub struct Folded<'a>(pub &'a str);

impl fmt::Display for Folded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|c: char| is_folded_away(c)) {
            let (plain, tail) = rest.split_at(at);
            f.write_str(plain)?;
            let mut chars = tail.chars();
            match chars.next() {
                Some('\\') if !chars.as_str().starts_with(['x', 'u']) => f.write_char('\\')?,
                Some(active) if active.is_ascii() => write!(f, "\\x{:02x}", u32::from(active))?,
                Some(active) => write!(f, "\\u{{{:x}}}", u32::from(active))?,
                None => {}
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// Converts a name that [`Folded`] wrote back. Escapes that it never writes are kept as they are,
/// because they may be part of a name that another tool wrote.
#[must_use]
pub fn unfolded(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('\\') else {
        return Cow::Borrowed(text);
    };
    let (plain, mut rest) = text.split_at(first);
    let mut name = plain.to_owned();
    while !rest.is_empty() {
        if let Some((meant, behind)) = escaped(rest) {
            name.push(meant);
            rest = behind;
        } else {
            let next = rest.char_indices().skip(1).find(|(_, c)| *c == '\\');
            let (plain, behind) = rest.split_at(next.map_or(rest.len(), |(at, _)| at));
            name.push_str(plain);
            rest = behind;
        }
    }
    Cow::Owned(name)
}

/// Reads the escape at the start of a text, and returns its character and the rest of the text.
fn escaped(text: &str) -> Option<(char, &str)> {
    let (digits, behind) = if let Some(tail) = text.strip_prefix("\\x") {
        tail.split_at_checked(2)?
    } else {
        text.strip_prefix("\\u{")?.split_once('}')?
    };
    let meant = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    let is_ours = (is_folded_away(meant) || matches!(meant, '#' | ' '))
        && text.starts_with("\\x") == meant.is_ascii();
    is_ours.then_some((meant, behind))
}

fn is_folded_away(c: char) -> bool {
    is_active(c) || matches!(c, ';' | '\\')
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

/// Whether a terminal interprets the character instead of showing it.
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

    use super::{Folded, Terminal, is_active, unfolded};

    #[test]
    fn control_characters_are_shown() {
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

    #[test]
    fn a_folded_name_holds_no_separator() {
        let cases = [
            ("plain", "core::fmt::write<T, U>", "core::fmt::write<T, U>"),
            ("a closure's signature", "fn(&[u8; 4])", "fn(&[u8\\x3b 4])"),
            ("a line end", "a\nb", "a\\x0ab"),
            ("a namespace", "App\\name", "App\\name"),
            ("what looks escaped", "\\x3b", "\\x5cx3b"),
            ("bidi", "a\u{202e}", "a\\u{202e}"),
            ("a last backslash", "a\\", "a\\"),
        ];
        for (name, raw, want) in cases {
            assert_eq!(Folded(raw).to_string(), want, "{name}");
            assert_eq!(unfolded(want), raw, "{name}");
        }
        for foreign in ["\\x41", "\\xé", "\\u{3b}", "\\u{110000}", "\\x", "\\u{3b"] {
            assert_eq!(unfolded(foreign), foreign);
        }
    }

    proptest! {
        #[test]
        fn folded_names_are_read_back(raw in "([ -~äλ]|\\\\[xu]|[;\u{0}-\u{9f}\u{202e}]|x3b|\\{a\\})*") {
            let shown = Folded(&raw).to_string();
            prop_assert!(!shown.contains(|c| c == ';' || is_active(c)));
            prop_assert_eq!(unfolded(&shown), raw);
        }

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
