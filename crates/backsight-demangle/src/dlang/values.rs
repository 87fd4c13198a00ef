//! Values in template arguments.

use super::DlangParser;

impl DlangParser<'_> {
    /// Reads a type and a value of that type.
    pub(super) fn typed_value(&mut self) -> Option<String> {
        let kind = self.kind_of_type()?;
        let name = self.ty()?;
        self.value(kind, &name)
    }

    /// Returns the letter of the next type.
    fn kind_of_type(&self) -> Option<u8> {
        if self.peek() != b'Q' {
            return Some(self.peek());
        }
        let mut ahead = DlangParser {
            name: self.name,
            at: self.at,
            limit: 0,
            steps: 0,
            depth: 0,
        };
        let place = ahead.back_reference()?;
        self.name.as_bytes().get(place).copied()
    }

    fn value(&mut self, kind: u8, of: &str) -> Option<String> {
        self.deeper(|parser| match parser.peek() {
            b'n' => {
                parser.take(1)?;
                Some("null".to_owned())
            }
            b'N' => {
                parser.take(1)?;
                let integer = parser.integer(kind)?;
                Some(format!("-{integer}"))
            }
            b'i' => {
                parser.take(1)?;
                parser.integer(kind)
            }
            b'0'..=b'9' => parser.integer(kind),
            b'e' => {
                parser.take(1)?;
                parser.real()
            }
            b'c' => {
                parser.take(1)?;
                let real = parser.real()?;
                parser.expect("c")?;
                let imaginary = parser.real()?;
                Some(format!("{real}+{imaginary}i"))
            }
            b'a' | b'w' | b'd' => parser.string(),
            b'A' => {
                parser.take(1)?;
                parser.array(kind)
            }
            b'S' => {
                parser.take(1)?;
                let count = parser.number()?;
                let values = parser.values(count)?;
                Some(format!("{of}({values})"))
            }
            b'f' => {
                parser.take(1)?;
                parser.mangled_name()
            }
            _ => None,
        })
    }

    fn integer(&mut self, kind: u8) -> Option<String> {
        let digits = self.digits()?;
        let character = |width: usize, letter: char| {
            let number: u32 = digits.parse().ok()?;
            Some(match u8::try_from(number) {
                Ok(byte) if letter == 'x' && (byte.is_ascii_graphic() || byte == b' ') => {
                    format!("'{}'", char::from(byte))
                }
                _ => format!("'\\{letter}{number:0width$x}'"),
            })
        };
        match kind {
            b'a' => character(2, 'x'),
            b'u' => character(4, 'u'),
            b'w' => character(8, 'U'),
            b'b' => Some(if digits == "0" { "false" } else { "true" }.to_owned()),
            b'h' | b't' | b'k' => Some(format!("{digits}u")),
            b'l' => Some(format!("{digits}L")),
            b'm' => Some(format!("{digits}uL")),
            _ => Some(digits.to_owned()),
        }
    }

    /// Reads `NAN`, `INF`, `NINF`, or digits, `P` and a power of two.
    fn real(&mut self) -> Option<String> {
        for (code, word) in [("NAN", "NaN"), ("INF", "Inf"), ("NINF", "-Inf")] {
            if self.eat(code) {
                return Some(word.to_owned());
            }
        }
        let sign = if self.eat("N") { "-" } else { "" };
        let digits = self.take_while(u8::is_ascii_hexdigit);
        let (lead, fraction) = digits.split_at_checked(1)?;
        self.expect("P")?;
        let power_sign = if self.eat("N") { "-" } else { "" };
        let power = self.digits()?;
        Some(format!("{sign}0x{lead}.{fraction}p{power_sign}{power}"))
    }

    fn string(&mut self) -> Option<String> {
        let width = self.take(1)?;
        let count = self.number()?;
        self.expect("_")?;
        let mut text = String::from("\"");
        for _ in 0..count {
            let digits = self.take(2)?;
            let byte = u8::from_str_radix(digits, 16).ok()?;
            match byte {
                b'\t' => text.push_str("\\t"),
                b'\n' => text.push_str("\\n"),
                b'\r' => text.push_str("\\r"),
                0x0c => text.push_str("\\f"),
                0x0b => text.push_str("\\v"),
                _ if byte.is_ascii_graphic() || byte == b' ' => text.push(char::from(byte)),
                _ => {
                    text.push_str("\\x");
                    text.push_str(digits);
                }
            }
        }
        text.push('"');
        if width != "a" {
            text.push_str(width);
        }
        Some(text)
    }

    /// Reads an array; for an associative array's type, keys and values.
    fn array(&mut self, kind: u8) -> Option<String> {
        let count = self.number()?;
        if kind != b'H' {
            let values = self.values(count)?;
            return Some(format!("[{values}]"));
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            let key = self.value(0, "")?;
            let value = self.value(0, "")?;
            pairs.push(format!("{key}:{value}"));
        }
        Some(format!("[{}]", pairs.join(", ")))
    }

    fn values(&mut self, count: usize) -> Option<String> {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(0, "")?);
        }
        Some(values.join(", "))
    }
}
