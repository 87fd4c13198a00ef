//! Literals: numbers, strings, lambdas, and addresses of functions.

use super::super::id::Id;
use super::super::node::{FloatFormat, Node};
use super::ItaniumParser;

/// Returns how the type of an integer is shown: a suffix, or the type itself.
fn integer(code: u8) -> Option<&'static str> {
    Some(match code {
        b'w' => "wchar_t",
        b'c' => "char",
        b'a' => "signed char",
        b'h' => "unsigned char",
        b's' => "short",
        b't' => "unsigned short",
        b'i' => "",
        b'j' => "u",
        b'l' => "l",
        b'm' => "ul",
        b'x' => "ll",
        b'y' => "ull",
        b'n' => "__int128",
        b'o' => "unsigned __int128",
        _ => return None,
    })
}

impl ItaniumParser<'_> {
    /// Reads `L…E`.
    pub(super) fn literal(&mut self) -> Option<Id> {
        self.deeper(Self::literal_alone)
    }

    fn literal_alone(&mut self) -> Option<Id> {
        self.at.expect("L")?;
        if let Some(of) = integer(self.at.peek()) {
            self.at.take(1)?;
            let value = self.at.signed()?;
            self.at.expect("E")?;
            return self.add(Node::Integer { of, value });
        }
        match (self.at.peek(), self.at.peek_at(1)) {
            (b'b', _) => {
                if self.at.eat("b0E") {
                    return self.text("false");
                }
                self.at.expect("b1E")?;
                self.text("true")
            }
            (b'f', _) => self.float(FloatFormat::Float),
            (b'd', _) => self.float(FloatFormat::Double),
            (b'e', _) => self.float(FloatFormat::Extended),
            (b'_' | b'Z', _) => {
                // GCC 4 omitted the underscore.
                self.at.eat("_");
                self.at.expect("Z")?;
                let of = self.encoding_in_expression()?;
                self.at.expect("E")?;
                Some(of)
            }
            (b'A', _) => {
                let of = self.ty()?;
                self.at.expect("E")?;
                self.add(Node::StringLiteral(of))
            }
            (b'D', b'n') => {
                self.at.expect("Dn")?;
                self.at.eat("0");
                self.at.expect("E")?;
                self.text("nullptr")
            }
            (b'U', b'l') => {
                let of = self.unnamed_type(None)?;
                self.at.expect("E")?;
                self.add(Node::Lambda(of))
            }
            _ => {
                let of = self.ty()?;
                if self.at.eat("E") {
                    // The null pointer as GCC writes it.
                    return self.add(Node::EnumLiteral { of, value: "0" });
                }
                let value = self.at.signed()?;
                self.at.expect("E")?;
                self.add(Node::EnumLiteral { of, value })
            }
        }
    }

    fn float(&mut self, width: FloatFormat) -> Option<Id> {
        self.at.take(1)?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let count = self.at.rest().bytes().take_while(is_digit).count();
        let digits = self.at.take(count)?;
        self.at.expect("E")?;
        let width = match (width, count) {
            (FloatFormat::Float, 8) | (FloatFormat::Double, 16) | (FloatFormat::Extended, 20) => {
                width
            }
            // The long double of other machines.
            (FloatFormat::Extended, 16) => FloatFormat::Double,
            (FloatFormat::Extended, 32) => FloatFormat::Quad,
            _ => return None,
        };
        self.add(Node::Float { digits, width })
    }
}
