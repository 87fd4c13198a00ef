//! Qualified names and template instances.

use super::Parser;

/// Names that the compiler gives, and what they are called; `true` says that it stands
/// before the name of what they are of.
fn special(name: &str) -> Option<(&'static str, bool)> {
    Some(match name {
        "__ctor" => ("this", false),
        "__dtor" => ("~this", false),
        "__postblit" => ("this(this)", false),
        "__init" => ("initializer for ", true),
        "__vtbl" => ("vtable for ", true),
        "__Class" => ("ClassInfo for ", true),
        "__Interface" => ("Interface for ", true),
        "__ModuleInfo" => ("ModuleInfo for ", true),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn mangled_name(&mut self) -> Option<String> {
        self.expect("_D")?;
        if self.eat("Ti") {
            // GDC's, before the whole name.
            self.digits()?;
            let text = self.deeper(Self::mangled_name)?;
            return Some(format!("non-virtual thunk to {text}"));
        }
        // LDC's, before the parts of the name.
        let is_thunk = self.eat("Th");
        if is_thunk {
            // How far the object is.
            self.eat("n");
            self.digits()?;
            self.expect("_")?;
        }
        let mut text = self.qualified_name(true)?;
        if is_thunk {
            text.insert_str(0, "non-virtual thunk to ");
        }
        if !self.eat("Z") {
            // The type of a variable, or what a function returns.
            self.ty()?;
        }
        Some(text)
    }

    /// Reads parts with dots between; what is behind a member function's parameters is
    /// shown if it is `with_modifiers`.
    pub(super) fn qualified_name(&mut self, with_modifiers: bool) -> Option<String> {
        self.deeper(|parser| {
            let mut text = String::new();
            loop {
                while parser.eat("0") {}
                parser.part(&mut text)?;
                parser.params_of_part(&mut text, with_modifiers);
                if !parser.is_at_symbol() {
                    return Some(text);
                }
            }
        })
    }

    fn part(&mut self, text: &mut String) -> Option<()> {
        let name = self.symbol_name()?;
        match special(&name) {
            Some((words, true)) if self.peek() == b'Z' && !text.is_empty() => {
                text.insert_str(0, words);
                return Some(());
            }
            // A scope that makes names in it unique.
            None if is_unique_scope(&name) => return Some(()),
            _ => {}
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(match special(&name) {
            Some((words, false)) => words,
            _ => &name,
        });
        (text.len() <= self.limit).then_some(())
    }

    /// A function that other names are in is written with its parameters. Whether that
    /// is so shows behind them: there must be more.
    fn params_of_part(&mut self, text: &mut String, with_modifiers: bool) {
        if self.peek() != b'M' && !self.is_at_convention() {
            return;
        }
        let (start, depth) = (self.at, self.depth);
        let read = self.params_with_modifiers(with_modifiers);
        match read {
            // It says `(this)` itself.
            Some(_) if !self.rest().is_empty() && text.ends_with("this(this)") => {}
            Some(params) if !self.rest().is_empty() => text.push_str(&params),
            _ => (self.at, self.depth) = (start, depth),
        }
    }

    fn params_with_modifiers(&mut self, with_modifiers: bool) -> Option<String> {
        let mut modifiers = String::new();
        if self.eat("M") {
            modifiers = self.modifiers();
        }
        self.convention()?;
        self.attributes()?;
        let mut params = format!("({})", self.params()?);
        if with_modifiers {
            params.push_str(&modifiers);
        }
        Some(params)
    }

    pub(super) fn is_at_symbol(&self) -> bool {
        match self.peek() {
            b'0'..=b'9' => true,
            b'_' => self.is_at_template(),
            b'Q' => self.is_at_identifier_reference(),
            _ => false,
        }
    }

    fn is_at_template(&self) -> bool {
        self.rest().starts_with("__T") || self.rest().starts_with("__U")
    }

    /// What the reference leads to tells whether it is one to a name or to a type.
    fn is_at_identifier_reference(&self) -> bool {
        let mut ahead = Parser {
            name: self.name,
            at: self.at,
            limit: 0,
            steps: 0,
            depth: 0,
        };
        let place = ahead.back_reference();
        let byte = place.and_then(|place| self.name.as_bytes().get(place));
        byte.is_some_and(u8::is_ascii_digit)
    }

    fn symbol_name(&mut self) -> Option<String> {
        self.deeper(|parser| match parser.peek() {
            b'Q' => {
                let place = parser.back_reference()?;
                parser.elsewhere(place, Self::symbol_name)
            }
            b'_' => parser.template_instance(),
            _ => {
                let bytes = parser.number()?;
                // Until 2018 an instance had its length before it.
                if parser.is_at_template() {
                    let end = parser.at.checked_add(bytes)?;
                    let text = parser.template_instance()?;
                    return (parser.at == end).then_some(text);
                }
                let name = parser.take(bytes)?;
                let is_name = !name.is_empty() && !name.contains('.');
                is_name.then(|| name.to_owned())
            }
        })
    }

    fn template_instance(&mut self) -> Option<String> {
        if !self.is_at_template() {
            return None;
        }
        self.take(3)?;
        while self.eat("0") {}
        let name = self.symbol_name()?;
        let args = self.template_args()?;
        let shown = match special(&name) {
            Some((words, false)) => words,
            _ => &name,
        };
        Some(format!("{shown}!({args})"))
    }

    fn template_args(&mut self) -> Option<String> {
        let mut text = String::new();
        while !self.eat("Z") {
            if !text.is_empty() {
                text.push_str(", ");
            }
            // A parameter that is specialized.
            self.eat("H");
            let arg = self.template_arg()?;
            text.push_str(&arg);
            if text.len() > self.limit {
                return None;
            }
        }
        Some(text)
    }

    fn template_arg(&mut self) -> Option<String> {
        if self.eat("T") {
            return self.ty();
        }
        if self.eat("S") {
            return self.symbol_arg();
        }
        if self.eat("X") {
            let bytes = self.number()?;
            return self.take(bytes).map(str::to_owned);
        }
        self.expect("V")?;
        self.typed_value()
    }

    fn symbol_arg(&mut self) -> Option<String> {
        if self.rest().starts_with("_D") {
            return self.deeper(Self::mangled_name);
        }
        if self.peek() == b'Q' || self.is_at_template() {
            return self.qualified_name(false);
        }
        // Until 2018 a symbol had its length before it, as names have.
        let start = self.at;
        let bytes = self.number()?;
        if self.rest().starts_with("_D") {
            let end = self.at.checked_add(bytes)?;
            let text = self.deeper(Self::mangled_name)?;
            return (self.at == end).then_some(text);
        }
        self.at = start;
        self.qualified_name(false)
    }
}

/// `__S1`, of a local scope.
fn is_unique_scope(name: &str) -> bool {
    let digits = name.strip_prefix("__S");
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()))
}
