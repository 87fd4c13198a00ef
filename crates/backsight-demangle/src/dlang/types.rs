//! Types, and the parameters of functions.

use super::DlangParser;

fn basic(code: u8) -> Option<&'static str> {
    Some(match code {
        b'n' => "typeof(null)",
        b'v' => "void",
        b'g' => "byte",
        b'h' => "ubyte",
        b's' => "short",
        b't' => "ushort",
        b'i' => "int",
        b'k' => "uint",
        b'l' => "long",
        b'm' => "ulong",
        b'f' => "float",
        b'd' => "double",
        b'e' => "real",
        b'o' => "ifloat",
        b'p' => "idouble",
        b'j' => "ireal",
        b'q' => "cfloat",
        b'r' => "cdouble",
        b'c' => "creal",
        b'b' => "bool",
        b'a' => "char",
        b'u' => "wchar",
        b'w' => "dchar",
        _ => return None,
    })
}

impl DlangParser<'_> {
    pub(super) fn ty(&mut self) -> Option<String> {
        self.deeper(Self::ty_alone)
    }

    fn ty_alone(&mut self) -> Option<String> {
        if let Some(name) = basic(self.peek()) {
            self.take(1)?;
            return Some(name.to_owned());
        }
        let wraps = [
            ("O", "shared("),
            ("x", "const("),
            ("y", "immutable("),
            ("Ng", "inout("),
            ("Nh", "__vector("),
        ];
        for (code, words) in wraps {
            if self.eat(code) {
                let inner = self.ty()?;
                return Some(format!("{words}{inner})"));
            }
        }
        if self.eat("Nn") {
            return Some("typeof(*null)".to_owned());
        }
        if self.is_at_convention() {
            return self.function();
        }
        match self.peek() {
            b'Q' => {
                let place = self.back_reference()?;
                return self.elsewhere(place, Self::ty);
            }
            b'z' => return self.wide_integer(),
            _ => {}
        }
        match self.take(1)? {
            "A" => Some(format!("{}[]", self.ty()?)),
            "G" => {
                let count = self.digits()?;
                Some(format!("{}[{count}]", self.ty()?))
            }
            "H" => {
                let key = self.ty()?;
                Some(format!("{}[{key}]", self.ty()?))
            }
            "P" if self.is_at_convention() => Some(format!("{}function", self.function()?)),
            "P" => Some(format!("{}*", self.ty()?)),
            "I" | "C" | "S" | "E" | "T" => self.qualified_name(false),
            "D" => self.delegate(),
            "B" => self.tuple(),
            _ => None,
        }
    }

    fn wide_integer(&mut self) -> Option<String> {
        if self.eat("zi") {
            return Some("cent".to_owned());
        }
        self.expect("zk")?;
        Some("ucent".to_owned())
    }

    fn delegate(&mut self) -> Option<String> {
        let modifiers = self.modifiers();
        let function = if self.peek() == b'Q' {
            let place = self.back_reference()?;
            self.elsewhere(place, Self::function)?
        } else {
            self.function()?
        };
        Some(format!("{function}delegate{modifiers}"))
    }

    fn tuple(&mut self) -> Option<String> {
        let count = self.number()?;
        let mut types = Vec::new();
        for _ in 0..count {
            types.push(self.ty()?);
        }
        Some(format!("Tuple!({})", types.join(", ")))
    }

    /// Reads a function's type; the text ends with a space.
    fn function(&mut self) -> Option<String> {
        self.deeper(|parser| {
            let convention = parser.convention()?;
            let attributes = parser.attributes()?;
            let params = parser.params()?;
            let returns = parser.ty()?;
            Some(format!("{convention}{returns}({params}) {attributes}"))
        })
    }

    pub(super) fn is_at_convention(&self) -> bool {
        matches!(self.peek(), b'F' | b'U' | b'W' | b'V' | b'R' | b'Y')
    }

    pub(super) fn convention(&mut self) -> Option<&'static str> {
        let words = match self.peek() {
            b'F' => "",
            b'U' => "extern(C) ",
            b'W' => "extern(Windows) ",
            b'V' => "extern(Pascal) ",
            b'R' => "extern(C++) ",
            b'Y' => "extern(Objective-C) ",
            _ => return None,
        };
        self.take(1)?;
        Some(words)
    }

    pub(super) fn attributes(&mut self) -> Option<String> {
        let mut text = String::new();
        while self.peek() == b'N' {
            text.push_str(match self.peek_at(1) {
                b'a' => "pure ",
                b'b' => "nothrow ",
                b'c' => "ref ",
                b'd' => "@property ",
                b'e' => "@trusted ",
                b'f' => "@safe ",
                b'i' => "@nogc ",
                b'j' => "return ",
                b'l' => "scope ",
                b'm' => "@live ",
                // Attributes of the first parameter: `inout`, vectors, `return`, noreturn.
                b'g' | b'h' | b'k' | b'n' => break,
                _ => return None,
            });
            self.take(2)?;
        }
        Some(text)
    }

    /// Reads the modifiers of a member function.
    pub(super) fn modifiers(&mut self) -> String {
        let mut text = String::new();
        let all = [
            ("x", " const"),
            ("y", " immutable"),
            ("O", " shared"),
            ("Ng", " inout"),
        ];
        while let Some((code, words)) = all.iter().find(|(code, _)| self.rest().starts_with(code)) {
            self.eat(code);
            text.push_str(words);
        }
        text
    }

    /// Reads parameters up to their end, which tells whether the function is variadic.
    pub(super) fn params(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            if self.eat("Z") {
                return Some(text);
            }
            if self.eat("X") {
                // A typesafe variadic parameter: `T t...`.
                text.push_str("...");
                return Some(text);
            }
            if !text.is_empty() {
                text.push_str(", ");
            }
            if self.eat("Y") {
                text.push_str("...");
                return Some(text);
            }
            self.storage(&mut text);
            let ty = self.ty()?;
            text.push_str(&ty);
            if text.len() > self.limit {
                return None;
            }
        }
    }

    fn storage(&mut self, text: &mut String) {
        if self.eat("M") {
            text.push_str("scope ");
        }
        if self.eat("Nk") {
            text.push_str("return ");
        }
        if self.eat("M") {
            text.push_str("scope ");
        }
        if self.eat("I") {
            text.push_str("in ");
        }
        let words = match self.peek() {
            b'J' => "out ",
            b'K' => "ref ",
            b'L' => "lazy ",
            _ => return,
        };
        let _is_there = self.take(1);
        text.push_str(words);
    }
}
